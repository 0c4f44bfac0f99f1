"""Archives to damage: see `seeds`."""

from collections.abc import Callable

from tests.helpers.archives import a_7z, a_cab, a_rar4, a_rar5, an_arj, an_rpm, filtered, self_extractor, written
from tests.helpers.documents import a_zip

_MEMBERS = {"a.txt": "secret text" * 9, "机密/b.txt": "inner" * 30}

ARCHIVES: dict[str, dict[str, Callable[[], bytes]]] = {
    "7z": {
        "lzma2": lambda: a_7z(_MEMBERS, folders=["c"]),
        "copy": lambda: a_7z(_MEMBERS, method="copy"),
        "encrypted": lambda: a_7z(_MEMBERS, password="secret", hide_names=True),
    },
    "rar": {
        "4": lambda: a_rar4(_MEMBERS),
        "5": lambda: a_rar5(_MEMBERS, comment="c", link=("l", "t"), folder="f"),
        "encrypted": lambda: a_rar5(_MEMBERS, password="secret", hide_names=True),
    },
    "arj": {"stored": lambda: an_arj(_MEMBERS, comment="c", password="secret")},
    "cab": {"mszip": lambda: a_cab(_MEMBERS), "stored": lambda: a_cab(_MEMBERS, kind=0, reserve=4)},
    "rpm": {"plain": lambda: an_rpm("summary", filtered("gzip", written("cpio_newc", _MEMBERS)))},
    "executable": {"zip": lambda: self_extractor(a_zip(_MEMBERS))},
    "archive": {"cpio": lambda: written("cpio_newc", _MEMBERS), "iso": lambda: written("iso9660", _MEMBERS)},
    "compress": {"plain": lambda: filtered("compress", b"secret text " * 200)},
    "filtered": {"zstd": lambda: filtered("zstd", b"text" * 100), "lz4": lambda: filtered("lz4", b"text" * 100)},
}
"""Format name → kind → builder."""
