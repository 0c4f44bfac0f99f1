"""The syntax of messages: header fields, parameters, encoded words, multipart bodies, transfer encodings.

RFC 5322, 2045–2047 and 2231, read as leniently as mail programs do and in linear time. Not the standard
library's parser: it recurses as deep as a message nests, asks every line of every open boundary, and drops
what stands before the first and after the last one.
"""

import binascii
import quopri
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from dlp.extract.charset import decode

FIELD = 1 << 16
"""Bytes of one header field that are parsed."""
_END_OF_HEADER = re.compile(rb"\r?\n\r?\n|\r\r|\A\r?\n")
_FIELD = re.compile(rb"^([\x21-\x39\x3b-\x7e]{1,200})[ \t]{0,20}:((?:[^\r\n]+|\r?\n[ \t]|\r(?!\n)[ \t])*)", re.MULTILINE)
_WORD = re.compile(r"=\?([^?\s*]{1,40})(?:\*[^?\s]{0,20})?\?([bBqQ])\?([^?]*)\?=([ \t\r\n]{1,200}(?==\?))?")
_PARAMETER = re.compile(
    r""";\s{0,200}([^\s;="()<>@,/\[\]?*]{1,60})(?:\*(\d{1,4}))?(\*)?\s{0,20}=\s{0,20}(?:"((?:[^"\\]|\\.)*)"|([^;]*))"""
)
_LINE_END = re.compile(rb"\r?\n|\r")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")


@dataclass(frozen=True, slots=True)
class Field:
    """One header field, unfolded; `value` has each byte as a character (Latin-1) until `words` decodes it."""

    name: str
    value: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Entity:
    """A header and a body (RFC 2045, 2.4); `junk` is what stood in the header and is no field."""

    fields: tuple[Field, ...]
    body: memoryview
    junk: bytes

    def field(self, name: str) -> str:
        """The first field of that name, given in lower case, or ""."""
        return next((field.value for field in self.fields if field.name == name), "")


def entity(data: memoryview) -> Entity:
    """The header up to the first empty line, and the body after it."""
    end = _END_OF_HEADER.search(data)
    header, body = (bytes(data), data[len(data) :]) if end is None else (bytes(data[: end.start()]), data[end.end() :])
    fields: list[Field] = []
    junk: list[bytes] = []
    at = 0
    for match in _FIELD.finditer(header):
        junk.append(header[at : match.start()])
        at = match.end()
        value = match.group(2)
        unfolded = re.sub(rb"[\r\n]+", b"", value[:FIELD]).strip(b" \t")
        fields.append(Field(match.group(1).decode("latin-1").lower(), unfolded.decode("latin-1"), len(value) <= FIELD))
    junk.append(header[at:])
    return Entity(tuple(fields), body, b"".join(junk).strip())


def parameters(value: str) -> dict[str, str]:
    """The parameters of a Content-Type or Content-Disposition, continuations and charsets resolved (RFC 2231, 3 and 4)."""
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    for match in _PARAMETER.finditer(value):
        name, number, extended, quoted, token = match.groups()
        text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else token.strip()
        pieces.setdefault(name.lower(), []).append((int(number or 0), bool(extended), text))
    return {name: _joined(sorted(found, key=lambda piece: piece[0])) for name, found in pieces.items()}


def _joined(pieces: list[tuple[int, bool, str]]) -> str:
    if not any(extended for _, extended, _ in pieces):
        return words("".join(text for _, _, text in pieces))
    charset: str | None = None
    raw = b""
    for place, (_, extended, text) in enumerate(pieces):
        if extended and place == 0 and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        raw += unquote_to_bytes(text.encode("latin-1", "replace")) if extended else text.encode("latin-1", "replace")
    return decode(raw, charset)


def words(value: str) -> str:
    """A field's value as a person reads it: encoded words (RFC 2047) decoded, raw 8-bit text in the encoding found.

    Words of one charset that follow each other are joined before they are decoded: some programs cut a character in two.
    """
    out: list[str] = []
    at, charset, held = 0, "", b""
    for match in _WORD.finditer(value):
        between = value[at : match.start()]
        if held and (between or match.group(1).lower() != charset):
            out.append(decode(held, charset))
            held = b""
        out.append(_eight_bit(between))
        charset = match.group(1).lower()
        held += _word(match.group(2), match.group(3))
        at = match.end()
    if held:
        out.append(decode(held, charset))
    out.append(_eight_bit(value[at:]))
    return "".join(out)


def _word(encoding: str, text: str) -> bytes:
    raw = text.encode("latin-1", "replace")
    if encoding in "bB":
        content = unbase64(raw)
        return raw if content is None else content
    return binascii.a2b_qp(raw, header=True)


def _eight_bit(text: str) -> str:
    return text if text.isascii() else decode(text.encode("latin-1", "replace"), None)


def unbase64(data: bytes) -> bytes | None:
    """Base 64 as mail programs read it: foreign characters skipped, padding anywhere, a cut end forgiven; None if it is none."""
    content = b""
    for run in _NOT_BASE64.sub(b"", data).split(b"="):
        run = run[: len(run) - 1] if len(run) % 4 == 1 else run
        content += binascii.a2b_base64(run + b"=" * (-len(run) % 4))
    return content if content or not data.strip() else None


def transferred(body: bytes, encoding: str) -> bytes | None:
    """`body` with its Content-Transfer-Encoding undone (RFC 2045, 6); None where it is not what it says."""
    match encoding.split(";")[0].strip().lower():
        case "base64":
            return unbase64(body)
        case "quoted-printable":
            return quopri.decodestring(body)
        case "x-uuencode" | "uuencode" | "x-uue":
            return b"".join(content for _, content in uuencoded(body)) or None
        case _:
            return body


def uuencoded(body: bytes) -> list[tuple[str, bytes]]:
    """The files that stand uuencoded in a text (POSIX.1-2017 uuencode): name and content."""
    found: list[tuple[str, bytes]] = []
    at = 0
    for match in re.finditer(rb"^begin [0-7]{3,4} ([^\r\n]{1,255})\r?\n", body, re.MULTILINE):
        if match.start() < at:
            continue
        content: list[bytes] = []
        at = match.end()
        while (end := body.find(b"\n", at)) >= 0:
            line = body[at:end].rstrip(b"\r")
            try:
                content.append(binascii.a2b_uu(line))
            except binascii.Error:
                break
            at = end + 1
        if content:
            found.append((decode(match.group(1), None), b"".join(content)))
    return found


def split(body: memoryview, boundary: str) -> tuple[bytes, list[memoryview], bytes]:
    """The preamble, the body parts and the epilogue of a multipart body (RFC 2046, 5.1.1); a missing end is forgiven."""
    delimiter = re.compile(
        rb"(?:^|\r?\n|\r)--" + re.escape(boundary.encode("latin-1", "replace")) + rb"(--)?[ \t]{0,200}(?=\r|\n|$)"
    )
    found = list(delimiter.finditer(body))
    if not found:
        return bytes(body), [], b""
    parts: list[memoryview] = []
    epilogue: list[bytes] = []
    for match, following in zip(found, [*found[1:], None], strict=True):
        segment = body[match.end() : following.start() if following else len(body)]
        line_end = _LINE_END.match(segment)
        segment = segment[line_end.end() if line_end else 0 :]
        # Parts after the closing delimiter are read as parts, for there are programs that show them.
        if match.group(1):
            epilogue.append(bytes(segment))
        else:
            parts.append(segment)
    return bytes(body[: found[0].start()]), parts, b"\n".join(epilogue)
