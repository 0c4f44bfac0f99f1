"""Values of dlp.model as JSON text for a column, and back.

ASCII only: a path or an address that is not UTF-8 is kept as lone surrogates (PEP 383), which
JSON escapes carry and a database's own text does not.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from dlp.errors import StoreError
from dlp.model import Envelope, FileOrigin, Origin
from dlp.redact import mask

T = TypeVar("T")


def canonical(value: Any) -> str:
    """One spelling for one value: sorted keys and no white space as in RFC 8785, but ASCII. Raises TypeError, ValueError."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"), sort_keys=True)


def dump(value: object) -> str:
    """A dataclass, or a sequence of them, as JSON."""
    return canonical(msgspec.to_builtins(value))


def parse(text: str, shape: type[T]) -> T:
    """What `dump` wrote. Raises StoreError where it is something else."""
    try:
        return msgspec.convert(json.loads(text), shape)
    except (ValueError, msgspec.ValidationError) as error:
        raise StoreError(f"the database holds what is not a {shape}; restore it from a backup") from error


def dump_origin(origin: Origin) -> str:
    """`{"mail": {…}}` or `{"file": {…}}`, the subject masked: no content enters a database in clear."""
    if isinstance(origin, FileOrigin):
        return canonical({"file": msgspec.to_builtins(origin)})
    subject = None if origin.subject is None else mask(origin.subject)
    return canonical({"mail": msgspec.to_builtins(replace(origin, subject=subject))})


def parse_origin(text: str) -> Origin:
    """What `dump_origin` wrote."""
    kinds = parse(text, dict[str, Any])
    shape: type[Origin] = FileOrigin if "file" in kinds else Envelope
    return parse(canonical(kinds.get("file") or kinds.get("mail")), shape)


def dump_attributes(attributes: Mapping[str, Any]) -> bytes:
    """What a channel keeps beside the content. Raises StoreError where that is not JSON."""
    try:
        return canonical(dict(attributes)).encode("ascii")
    except (TypeError, ValueError) as error:
        raise StoreError("the attributes to keep beside the content are not JSON; this is a fault in dlp: report it") from error


def plain(text: str) -> str:
    """`text` as any database takes it: bytes that were not UTF-8 are spelled as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
