"""Transfer encodings: content written as text, and what is written so inside a text.

Base 64 and quoted-printable (RFC 2045, 6), uuencode (POSIX.1-2017), yEnc (version 1.3), BinHex 4.0 (RFC 1741, appendix
A), read as leniently as mail programs do and in linear time.
"""

import binascii
import quopri
import re
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from dlp.extract.charset import decode

RUNS = 100_000
"""Pieces of one base 64 text between padding, and files inside one text."""
FILE = 64 << 20
"""Bytes to which run lengths (BinHex) and gzip expand one file."""
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_FOREIGN = bytes(set(range(256)) - set(_BASE64 + b"="))
_BINHEX = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"
_TO_BASE64 = bytes.maketrans(_BINHEX, _BASE64)
_NOT_BINHEX = bytes(set(range(256)) - set(_BINHEX))
_BY_42 = bytes((byte - 42) % 256 for byte in range(256))
_ESCAPED = re.compile(rb"=(.)", re.DOTALL)
_RUN_LENGTH = re.compile(rb"(?s)(.)\x90([^\x00])|\x90\x00(?:\x90([^\x00]))?")
_NAMES = re.compile(r"[^a-z0-9]")
_ENCLOSED = re.compile(
    rb"(?m)^(?:begin [0-7]{3,4} ([^\r\n]{1,255})\r?\n|=ybegin ([^\r\n]{1,500})\r?\n|\(This file must be converted with BinHex"
    rb"|-----BEGIN PGP MESSAGE-----|begin-base64 [0-7]{3,4} ([^\r\n]{1,255})\r?\n)"
)
_PGP_END = b"-----END PGP MESSAGE-----"


class Decoded(NamedTuple):
    """What an encoding gave, and whether that is all there was."""

    content: bytes
    whole: bool = True


class Enclosed(NamedTuple):
    """A file inside a text."""

    name: str | None
    content: bytes
    whole: bool = True


def transferred(body: bytes, encoding: str) -> Decoded:
    """`body` with its Content-Transfer-Encoding undone; as it stands where the encoding is none that is known."""
    match _NAMES.sub("", encoding.lower()):
        case "" | "7bit" | "8bit" | "binary":
            return Decoded(body)
        case "quotedprintable":
            return Decoded(quopri.decodestring(body))
        case "xgzip64":
            return _gunzipped(unbase64(body))
        case "xuuencode" | "uuencode" | "xuue" | "uue" | "macbinhex40" | "binhex40" | "xbinhex40" | "xyencode" | "yenc":
            content = b"".join(found.content for found in enclosed(body))
            return Decoded(content or body, whole=bool(content) or not body.strip())
        case name if "base64" in name:
            return unbase64(body)
    return Decoded(body)


def unbase64(data: bytes) -> Decoded:
    """Base 64 as mail programs read it: foreign characters skipped, padding anywhere, a cut end forgiven."""
    padding = data.find(b"=")
    if padding < 0 or not data[padding:].strip(b"= \t\r\n"):
        try:
            content = binascii.a2b_base64(data)
            return Decoded(content, whole=bool(content) or not data.strip())
        except binascii.Error:
            pass  # its end is cut: the slower way forgives that
    runs = data.translate(None, _FOREIGN).split(b"=", RUNS)
    content = b"".join(_quads(run) for run in runs[:RUNS] if run)
    return Decoded(content, whole=len(runs) <= RUNS and (bool(content) or not data.strip()))


def _quads(run: bytes) -> bytes:
    run = run[:-1] if len(run) % 4 == 1 else run
    return binascii.a2b_base64(run + b"=" * (-len(run) % 4))


def _gunzipped(packed: Decoded) -> Decoded:
    expander = zlib.decompressobj(wbits=31)
    try:
        content = expander.decompress(packed.content, FILE)
    except zlib.error:
        return Decoded(packed.content, whole=False)
    return Decoded(content, whole=expander.eof)


def enclosed(text: bytes) -> Iterator[Enclosed]:
    """The files that stand encoded in a text, in order, and PGP messages as they stand."""
    at = 0
    for match in islice(_ENCLOSED.finditer(text), RUNS):
        if match.start() < at:
            continue
        found, at = _enclosed(text, match)
        if found.content:
            yield found


def _enclosed(text: bytes, match: re.Match[bytes]) -> tuple[Enclosed, int]:
    """The file that begins at `match`, and where it ends."""
    uu, yenc, plain64 = match.groups()
    if uu:
        content, end = _uuencoded(text, match.end())
        return Enclosed(decode(uu, None), content), end
    if yenc:
        return _yenc(text, match)
    if plain64:
        end = text.find(b"\n====", match.end())
        end = len(text) if end < 0 else end
        content, whole = unbase64(text[match.end() : end])
        return Enclosed(decode(plain64, None), content, whole), end
    if match.group().startswith(b"("):
        return _binhex(text, match.end())
    end = text.find(_PGP_END, match.end())
    end = len(text) if end < 0 else end + len(_PGP_END)
    return Enclosed(None, text[match.start() : end]), end


def _uuencoded(text: bytes, at: int) -> tuple[bytes, int]:
    """Lines up to an empty one, to "end", or to what is no line of uuencode."""
    content: list[bytes] = []
    while at < len(text):
        end = text.find(b"\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end].rstrip(b"\r")
        if line in (b"`", b" ", b"", b"end"):
            break
        try:
            content.append(binascii.a2b_uu(line))
        except binascii.Error:
            # Some encoders count the filling of the last group; what is stated suffices (as in Python's uu module).
            stated = ((line[0] - 32) & 63) * 4 // 3 + 2
            try:
                content.append(binascii.a2b_uu(line[:stated]))
            except binascii.Error:
                break
        at = end + 1
    return b"".join(content), at


def _yenc(text: bytes, match: re.Match[bytes]) -> tuple[Enclosed, int]:
    start = match.end()
    if text.startswith(b"=ypart ", start):
        start = text.find(b"\n", start) + 1 or len(text)
    end = text.find(b"\n=yend", start)
    end = len(text) if end < 0 else end
    lines = text[start:end].translate(None, b"\r\n")
    raw = _ESCAPED.sub(lambda found: bytes(((found.group(1)[0] - 64) % 256,)), lines)
    _, _, name = match.group(2).partition(b"name=")
    return Enclosed(decode(name.strip(b' "'), None) or None, raw.translate(_BY_42)), end


def _binhex(text: bytes, at: int) -> tuple[Enclosed, int]:
    """The data fork, then the resource fork, of the file between two colons."""
    start = text.find(b":", at) + 1
    end = text.find(b":", start) if start else -1
    end = len(text) if end < 0 else end
    packed = unbase64(text[start:end].translate(_TO_BASE64, _NOT_BINHEX)).content if start else b""
    if sum((more or marks or b"\0")[0] for _, more, marks in _RUN_LENGTH.findall(packed)) > FILE:
        return Enclosed(None, packed, whole=False), end
    content = _RUN_LENGTH.sub(_repeated, packed)
    size = content[0] if content else 0
    header = content[1 + size : 20 + size]
    data, resource = int.from_bytes(header[11:15], "big"), int.from_bytes(header[15:19], "big")
    body = 22 + size
    forks = content[body : body + data] + content[body + data + 2 : body + data + 2 + resource]
    return Enclosed(decode(content[1 : 1 + size], None) or None, forks, whole=len(forks) == data + resource), end


def _repeated(run: re.Match[bytes]) -> bytes:
    char, count, marks = run.groups()
    return char * count[0] if char else b"\x90" * (marks[0] if marks else 1)
