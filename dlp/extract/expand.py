"""What the compressed single files have in common."""

from dlp.extract.budget import Budget, Guarded, Readable
from dlp.extract.document import Document
from dlp.extract.format import Pieces

_SUFFIXES = {".tgz": ".tar", ".tbz2": ".tar", ".tbz": ".tar", ".txz": ".tar", ".svgz": ".svg"}
_DROPPED = (".gz", ".bz2", ".xz", ".lzma", ".z")


def expanded(document: Document, budget: Budget, stream: Readable, errors: tuple[type[Exception], ...]) -> Pieces:
    """The document inside `stream`, as far as it can be read; `errors` are what its library raises for damage."""
    content, end = budget.take(Guarded(stream, errors), packed=len(document.data))
    if end is not None:
        yield document.unread(end.why, end.detail)
    yield document.nested(content, name=inner_name(document.name), label="content")


def inner_name(name: str | None) -> str | None:
    """The name a file has once it is expanded: "a.tar.gz" → "a.tar", "a.tgz" → "a.tar"; None where it does not tell."""
    if name is None:
        return None
    stem, dot, suffix = name.rpartition(".")
    ending = (dot + suffix).lower()
    if not stem:
        return None
    return stem if ending in _DROPPED else stem + _SUFFIXES[ending] if ending in _SUFFIXES else None
