"""tar: every kind of member, every place of a name, damage, hostile headers."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.model import Limits, Raw, Why, Zone
from tests.extract.reading import random_bytes, read, text, unread
from tests.helpers.documents import a_tar


def a_member(
    name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, target: str = "", size: int | None = None
) -> bytes:
    """A header with content, padded."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size = kind, target, len(content) if size is None else size
    return entry.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


END = bytes(1024)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_targets_are_read(form: int) -> None:
    long = form != tarfile.USTAR_FORMAT
    name = "目录/" * (30 if long else 8) + "密.txt"
    target = "目标/" * (30 if long else 8) + "TARGET1"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = 6
        archive.addfile(entry, io.BytesIO(b"SECRET"))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            link = tarfile.TarInfo("LINK1")
            link.type, link.linkname = kind, target
            archive.addfile(link)
    pieces = read(out.getvalue())
    assert text(pieces, Zone.BODY, (name,)) == "SECRET"
    assert text(pieces, Zone.FILENAME).count(target) == 2
    assert not unread(pieces)


def test_names_in_gb_18030_are_decoded() -> None:
    data = a_member("xxxxxxxxxx.txt", b"SECRET")
    out = bytearray(data.replace(b"xxxxxxxxxx", "绝密资料单".encode("gb18030")) + END)
    out[148:156] = b"%06o\0 " % (sum(out[:148]) + sum(out[156:512]) + 256)
    assert "绝密资料单.txt" in text(read(bytes(out)), Zone.FILENAME)


def test_every_kind_of_member_is_named_and_read() -> None:
    kinds = [tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
    data = b"".join(a_member(f"name{index}", kind=kind) for index, kind in enumerate(kinds))
    data += a_member("odd", b"ODD CONTENT", kind=b"Z") + a_member("cont", b"CONTIGUOUS", kind=b"7")
    data += a_member("dump/", b"YLISTED1\0NLISTED2\0\0", kind=b"D") + a_member("LABEL1", kind=b"V") + END
    pieces = read(data)
    assert {"name0/", "name1", "name2", "name3", "LABEL1"} <= set(text(pieces, Zone.FILENAME).split("\n"))
    assert {"LISTED1", "LISTED2"} <= set(text(pieces, Zone.FILENAME).split("\n"))
    assert "ODD CONTENT" in text(pieces, Zone.BODY, ("odd",))
    assert "CONTIGUOUS" in text(pieces, Zone.BODY, ("cont",))
    assert not unread(pieces)


def test_content_of_what_has_none_is_read() -> None:
    """A folder and a link that state a size, with bytes behind them."""
    data = a_member("d", b"IN A FOLDER", kind=tarfile.DIRTYPE) + a_member("l", b"IN A LINK1", kind=tarfile.SYMTYPE, target="t")
    pieces = read(data + a_member("h", kind=tarfile.LNKTYPE, size=7, target="t") + a_member("a.txt", b"SECRET") + END)
    assert "IN A FOLDER" in text(pieces, Zone.BODY)
    assert "IN A LINK1" in text(pieces, Zone.BODY)
    assert "SECRET" in text(pieces, Zone.BODY)
    assert not unread(pieces)


def test_attributes_in_pax_headers_are_read() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "GLOBAL1 密"}) as archive:
        entry = tarfile.TarInfo("a.txt")
        entry.pax_headers = {"SCHILY.xattr.user.note": "ATTRIBUTE1 密", "mtime": "1.5"}
        archive.addfile(entry)
    pieces = read(out.getvalue())
    assert text(pieces, Zone.PROPERTY) == "comment: GLOBAL1 密\n\nSCHILY.xattr.user.note: ATTRIBUTE1 密\n"


def pax(*records: tuple[str, str]) -> bytes:
    """A pax header for the next member."""
    body = b""
    for key, value in records:
        line = f" {key}={value}\n".encode()
        size = len(line) + len(str(len(line) + len(str(len(line)))))
        body += str(size).encode() + line
    return a_member("p", body, kind=b"x")


@pytest.mark.parametrize("version", ["0.0", "0.1", "1.0"])
def test_sparse_members_of_pax(version: str) -> None:
    content = b"FIRST1" + b"SECOND1"
    if version == "0.0":
        numbers = [("offset", "0"), ("numbytes", "6"), ("offset", "9000"), ("numbytes", "7")]
        head = pax(("GNU.sparse.size", "9007"), *((f"GNU.sparse.{key}", value) for key, value in numbers))
    elif version == "0.1":
        head = pax(("GNU.sparse.size", "9007"), ("GNU.sparse.name", "real.txt"), ("GNU.sparse.map", "0,6,9000,7"))
    else:
        head = pax(("GNU.sparse.major", "1"), ("GNU.sparse.name", "real.txt"), ("GNU.sparse.realsize", "9007"))
        content = b"2\n0\n6\n9000\n7\n".ljust(512, b"\0") + content
    pieces = read(head + a_member("s.txt", content) + END)
    name = "s.txt" if version == "0.0" else "real.txt"
    raw = next(bytes(piece.data) for piece in pieces if isinstance(piece, Raw) and piece.trail == (name,))
    assert raw == b"FIRST1" + bytes(8994) + b"SECOND1"


def test_an_old_sparse_member_of_terabytes_is_bounded() -> None:
    data = bytearray(a_member("s.txt", b"FIRST1SECOND1", kind=b"S"))
    rows = b"%011o\0%011o\0" % (0, 6) + b"%011o\0%011o\0" % (8**10, 7)
    data[386 : 386 + len(rows)] = rows
    data[483:495] = b"%011o\0" % (8**11 - 1)
    data[148:156] = b"%06o\0 " % (sum(data[:148]) + sum(data[156:512]) + 256)
    pieces = read(bytes(data) + END)
    assert "FIRST1SECOND1" in text(pieces)
    assert unread(pieces) == [(Why.TOO_LARGE, ("s.txt",))]


def test_what_follows_a_damaged_header_is_told_and_read() -> None:
    data = bytearray(a_tar({"a.txt": "FIRST1", "b.txt": "SECOND1", "c.txt": "THIRD1"}))
    data[1024 + 148 : 1024 + 156] = b"99999999"
    pieces = read(bytes(data))
    assert "FIRST1" in text(pieces, Zone.BODY)
    assert "SECOND1" in text(pieces)
    assert text(pieces, Zone.BODY, ("c.txt",)) == "THIRD1"
    assert unread(pieces) == [(Why.CORRUPT, ())]


def test_an_archive_behind_the_end_of_another_is_read() -> None:
    pieces = read(a_tar({"a.txt": "FIRST1"}) + a_tar({"b.txt": "SECOND1"}))
    assert text(pieces, Zone.BODY, ("b.txt",)) == "SECOND1"


def test_thousands_of_headers_about_one_member_are_no_recursion() -> None:
    data = a_member("L", b"LONG NAME", kind=b"L") * 5_000 + a_member("short", b"SECRET") + END
    pieces = read(data)
    assert text(pieces, Zone.BODY, ("LONG NAME",)) == "SECRET"
    assert not unread(pieces)


def test_sizes_that_are_not_there() -> None:
    for size in (8**11 - 1, 10_000):
        pieces = read(a_member("a.txt", b"FIRST1", size=size) + END)
        assert "FIRST1" in text(pieces)
        assert unread(pieces)[0] == (Why.CORRUPT, ("a.txt",))


def test_hostile_names_are_only_names() -> None:
    pieces = read(a_tar({"../../etc/passwd": "FIRST1", "/etc/shadow": "SECOND1"}))
    assert text(pieces, Zone.BODY, ("../../etc/passwd",)) == "FIRST1"
    assert text(pieces, Zone.BODY, ("/etc/shadow",)) == "SECOND1"


def test_the_whole_item_is_bounded() -> None:
    pieces = read(a_tar({f"{i}.txt": random_bytes(1 << 20).hex() for i in range(4)}), limits=Limits(expanded_bytes=5 << 20))
    assert [why for why, _ in unread(pieces)] == [Why.TOO_LARGE]


@given(at=st.integers(0, 1 << 14), data=st.binary(min_size=1, max_size=12), cut=st.integers(0, 1 << 14) | st.none())
def test_damage_is_never_a_crash(at: int, data: bytes, cut: int | None) -> None:
    whole = bytearray(
        pax(("GNU.sparse.major", "1"), ("GNU.sparse.realsize", "99"))
        + a_member("s.txt", b"1\n0\n6\n".ljust(512, b"\0") + b"FIRST1")
        + a_member("S.txt", b"x" * 600, kind=b"S")
        + a_member("l", b"LONG", kind=b"L")
        + a_member("d", b"Yd\0", kind=b"D")
        + END
    )
    at %= len(whole)
    whole[at : at + len(data)] = data
    pieces = read(bytes(whole[: cut % len(whole)] if cut is not None else whole), "a.tar")
    assert Why.CRASHED not in [why for why, _ in unread(pieces)]
