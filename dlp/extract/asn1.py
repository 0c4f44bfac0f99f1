"""The values in a structure of ASN.1 in DER (ITU-T X.690), as seals and signatures are: in their order, without its meaning."""

from collections.abc import Iterator

OCTETS = 4
TEXTS = {12: "utf-8", 19: "ascii", 22: "ascii", 26: "ascii", 28: "utf-32-be", 30: "utf-16-be"}
"""Encodings of the kinds of strings by their tag numbers (X.680, 8.6)."""
_CONSTRUCTED = 0x20
_BITS = 3
MOST = 100_000
"""Values of one structure."""


def values(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The tag number and the content of every value that holds no others; a string of bytes that is itself DER is opened.

    Damage ends the structure it is in. Iterative, for structures nest as deep as a document likes.
    """
    spans = [(0, len(data))]
    count = 0
    while spans and count < MOST:
        at, end = spans.pop()
        header = _header(data, at, end)
        if header is None:
            continue
        tag, start, stop = header
        spans.append((stop, end))
        count += 1
        number = tag & 0x1F
        if tag & _CONSTRUCTED:
            spans.append((start, stop))
        elif number in (OCTETS, _BITS) and _is_whole(data, start + (number == _BITS), stop):
            spans.append((start + (number == _BITS), stop))
        else:
            yield number, data[start:stop]


def _header(data: bytes, at: int, end: int) -> tuple[int, int, int] | None:
    """The tag, where the content starts and ends; None where there is no whole header (X.690, 8.1)."""
    if end - at < 2:
        return None
    tag, size, start = data[at], data[at + 1], at + 2
    if size & 0x80:
        more = size & 0x7F
        if not 1 <= more <= 4 or start + more > end:
            return None
        size = int.from_bytes(data[start : start + more], "big")
        start += more
    return (tag, start, start + size) if start + size <= end else None


def _is_whole(data: bytes, start: int, stop: int) -> bool:
    """Whether a sequence fills these bytes."""
    header = _header(data, start, stop) if stop - start > 2 and data[start] == 0x30 else None
    return header is not None and header[2] == stop
