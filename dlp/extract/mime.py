"""The syntax of messages: header fields, parameters, encoded words, multipart bodies, charsets.

RFC 5322, 2045–2047 and 2231, read as leniently as mail programs do and in linear time. Not the standard
library's parser: it recurses as deep as a message nests, asks every line of every open boundary, and drops
what stands before the first and after the last one.
"""

import binascii
import codecs
import re
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from dlp.extract.charset import decode, detect, known
from dlp.extract.transfer import unbase64

FIELD = 1 << 16
"""Bytes of one header field that are parsed."""
FIELDS = 10_000
"""Fields of one header."""
_END_OF_HEADER = re.compile(rb"\r?\n\r?\n|\r\r|\A\r?\n")
# Possessive where what repeats is a group, which would be remembered for each time otherwise.
_FIELD = re.compile(rb"^([\x21-\x39\x3b-\x7e]{1,200})[ \t]{0,20}:((?:[^\r\n]+|\r?\n[ \t]|\r(?!\n)[ \t])*+)", re.MULTILINE)
_WORD = re.compile(r"=\?([^?\s*]{1,40})(?:\*[^?\s]{0,20})?\?([bBqQ])\?([^?]*)(?:\?=|\Z)([ \t\r\n]{1,200}(?==\?))?")
_PARAMETER = re.compile(
    r"""(?:;\s{0,200}|\s)([^\s;="()<>@,/\[\]?*]{1,60})(?:\*(\d{1,4}))?(\*)?\s{0,20}=\s{0,20}(?:"((?:[^"\\]|\\.)*+)"|([^;]*))"""
)
_MEDIA = re.compile(r"[\s\"']*([\w.+-]{1,100})(?:\s*/\s*([\w.+-]{1,100}))?")
_CR, _LF = b"\r\n"
_ENTITY = re.compile(
    rb"(?i)\s{0,20}(?:content-[a-z-]{1,60}|mime-version|from|to|subject|date|received|x-[a-z-]{1,60})[ \t]{0,9}:"
)
_LINE_END = re.compile(rb"\r?\n|\r")
_GUESS = re.compile(rb"(?im)^--(\S[^\r\n]{0,200}?)[ \t]{0,20}\r?\n(?=content-[a-z-]{2,40}[ \t]{0,9}:)")
# RFC 3676, 4.2 to 4.5; the line before a signature, "-- ", does not go on.
_FLOWED = re.compile(r"(?<!\n--) \r?\n(?:>[> ]{0,100})? ?")
_QUOTED_WORDS = re.compile(r"(?:=\?[^?\s]{1,60}\?[bBqQ]\?[^?\s]{1,200}\?=\s{0,9})++")
_HIGH = bytes(range(128))
_FEW = 64
"""Bytes beyond ASCII up to which what is valid UTF-8 may be another charset by chance."""
_WESTERN = ("cp125", "iso8859", "latin", "mac", "koi8", "cp437", "cp85")
_STATEFUL = ("iso2022", "hz", "utf-7", "utf-16", "utf-32", "utf_7", "utf_16", "utf_32")


@dataclass(frozen=True, slots=True)
class Field:
    """One header field, unfolded; `value` has each byte as a character (Latin-1) until `words` decodes it."""

    name: str
    value: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Entity:
    """A header and a body (RFC 2045, 2.4); `junk` is what stood in the header and is no field; `whole`: all fields are here."""

    fields: tuple[Field, ...]
    body: memoryview
    junk: bytes
    whole: bool = True

    def field(self, name: str) -> str:
        """The first field of that name, given in lower case, or ""."""
        return next((field.value for field in self.fields if field.name == name), "")

    def all(self, name: str) -> list[str]:
        """Every field of that name, given in lower case."""
        return [field.value for field in self.fields if field.name == name]


class Multipart(NamedTuple):
    """What stands before, in and after the parts; `whole`: there were no more parts than asked for. `starts` says of each
    part where in the body it begins."""

    preamble: memoryview
    parts: list[memoryview]
    epilogues: list[memoryview]
    whole: bool
    starts: list[int]


class Name(NamedTuple):
    """One parameter: the value a mail program takes, and the other values it was given."""

    value: str
    others: tuple[str, ...] = ()


def entity(data: memoryview) -> Entity:
    """The header up to the first empty line, and the body after it."""
    end = _END_OF_HEADER.search(data)
    header, body = (bytes(data), data[len(data) :]) if end is None else (bytes(data[: end.start()]), data[end.end() :])
    if b"\n" not in header:
        header = header.replace(b"\r", b"\n")
    fields: list[Field] = []
    junk: list[bytes] = []
    at = 0
    for match in islice(_FIELD.finditer(header), FIELDS):
        if at != match.start():
            junk.append(header[at : match.start()])
        at = match.end()
        value = match.group(2)
        whole = len(value) <= FIELD
        if not whole:
            value = value[:FIELD]
        if b"\n" in value or b"\r" in value:
            value = value.translate(None, b"\r\n")
        fields.append(Field(match.group(1).decode("latin-1").lower(), value.strip(b" \t").decode("latin-1"), whole))
    junk.append(header[at:])
    return Entity(tuple(fields), body, b"".join(junk).strip(), whole=len(fields) < FIELDS)


def is_entity(content: bytes) -> bool:
    """Whether a field that entities have stands first, as in what is signed (RFC 8551, 3.1)."""
    return _ENTITY.match(content) is not None


def media_type(value: str) -> str:
    """The media type of a Content-Type field, in lower case; text/plain where there is none (RFC 2045, 5.2)."""
    match = _MEDIA.match(value)
    if match is None:
        return "text/plain"
    kind, subtype = match.group(1).lower(), (match.group(2) or "").lower()
    return f"{kind}/{subtype or {'text': 'plain', 'multipart': 'mixed', 'message': 'rfc822'}.get(kind, 'octet-stream')}"


def parameters(value: str) -> dict[str, Name]:
    """The parameters of a Content-Type or Content-Disposition, continuations and charsets resolved (RFC 2231, 3 and 4)."""
    pieces: dict[str, dict[str, list[tuple[int, bool, str]]]] = {}
    for match in islice(_PARAMETER.finditer(value), FIELDS):
        name, number, extended, quoted, token = match.groups()
        text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else token.strip().removeprefix('"')
        # A program that knows RFC 2231 takes `name*` and `name*0` before `name`, which stands there for those that do not.
        form = "1" if number else "0" if extended else "2"
        pieces.setdefault(name.lower(), {}).setdefault(form, []).append((int(number or 0), bool(extended), text))
    return {name: _value(forms) for name, forms in pieces.items()}


def _value(forms: dict[str, list[tuple[int, bool, str]]]) -> Name:
    values: list[str] = []
    for form in sorted(forms):
        if form == "1":
            values.append(_joined(sorted(forms[form], key=lambda piece: piece[0])))
        else:
            values.extend(_joined([piece]) for piece in forms[form])
    first, *others = dict.fromkeys(values)
    return Name(first, tuple(others))


def _joined(pieces: list[tuple[int, bool, str]]) -> str:
    if not any(extended for _, extended, _ in pieces):
        return words("".join(text for _, _, text in pieces))
    charset: str | None = None
    raw: list[bytes] = []
    for place, (_, extended, text) in enumerate(pieces):
        if extended and place == 0 and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        value = text.encode("latin-1", "replace")
        raw.append(unquote_to_bytes(value) if extended else value)
    return decode(b"".join(raw), charset)


def words(value: str, hint: str | None = None) -> str:
    """A field's value as a person reads it: encoded words (RFC 2047) decoded, raw 8-bit text in the encoding found.

    Words of one charset that follow each other are joined before they are decoded: some programs cut a character in
    two. `hint` is the charset of raw 8-bit text that is not UTF-8.
    """
    if "=?" not in value:
        return _eight_bit(value, hint)
    out: list[str] = []
    at, charset, held = 0, "", list[bytes]()
    for match in _WORD.finditer(value):
        between = value[at : match.start()]
        if held and (between or match.group(1).lower() != charset):
            out.append(decode(b"".join(held), charset))
            held.clear()
        out.append(_eight_bit(between, hint))
        charset = match.group(1).lower()
        held.append(_word(match.group(2), match.group(3)))
        at = match.end()
    if held:
        out.append(decode(b"".join(held), charset))
    out.append(_eight_bit(value[at:], hint))
    return "".join(out)


def quoted_words(text: str) -> str:
    """The encoded words that stand in a text, decoded, a line for each run: reports quote the header of what they are about."""
    if "=?" not in text:
        return ""
    return "\n".join(words(run.group().strip()) for run in _QUOTED_WORDS.finditer(text))


def _word(encoding: str, text: str) -> bytes:
    raw = text.encode("latin-1", "replace")
    if encoding in "bB":
        return unbase64(raw).content or raw
    return binascii.a2b_qp(raw, header=True)


def _eight_bit(text: str, hint: str | None) -> str:
    if text.isascii():
        return text if "\x1b$" not in text and "~{" not in text else decode(text.encode("latin-1"), None)
    raw = text.encode("latin-1", "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return decode(raw, hint)


def split(body: memoryview, boundary: str, *, most: int) -> Multipart:
    """The pieces of a multipart body (RFC 2046, 5.1.1), at most `most` delimiters; a missing end is forgiven.

    A delimiter is a line of its own: "--", the boundary, perhaps "--" and white space.
    """
    delimiter = re.compile(
        rb"--" + re.escape(boundary.encode("latin-1", "replace").rstrip()) + rb"(--)?[ \t]{0,200}(?=[\r\n]|\Z)"
    )
    lines = (match for match in delimiter.finditer(body) if match.start() == 0 or body[match.start() - 1] in b"\r\n")
    found = list(islice(lines, most + 1))
    if not found:
        return Multipart(body, [], [], whole=True, starts=[])
    parts: list[memoryview] = []
    starts: list[int] = []
    epilogues: list[memoryview] = []
    for match, following in zip(found, [*found[1:], None], strict=True):
        segment = body[match.end() : following.start() if following else len(body)]
        line_end = _LINE_END.match(segment)
        skipped = line_end.end() if line_end else 0
        segment = segment[skipped:]
        # Parts after the closing delimiter are read as parts, for there are programs that show them.
        (epilogues if match.group(1) else parts).append(_ended(segment) if following else segment)
        if not match.group(1):
            starts.append(match.end() + skipped)
    return Multipart(body[: found[0].start()], parts, epilogues, whole=len(found) <= most, starts=starts)


def _ended(segment: memoryview) -> memoryview:
    """Without the line end that belongs to the delimiter after it."""
    size = len(segment)
    size -= size > 0 and segment[size - 1] == _LF
    size -= size > 0 and segment[size - 1] == _CR
    return segment[:size]


def guessed(body: bytes | memoryview) -> str | None:
    """The boundary of a multipart body that nobody declared: of the first line like one that a Content field follows."""
    match = _GUESS.search(body)
    return match.group(1).decode("latin-1") if match else None


def charsets(content: bytes, declared: str | None) -> tuple[str | None, ...]:
    """The charsets in which a text is to be read, the likeliest first: what is declared is often wrong.

    Two where the bytes do not tell; None stands for the one that `decode` finds.
    """
    named = known(declared)
    if content.isascii():
        if named is not None and named.startswith(_STATEFUL):
            return (named,)
        if b"\x1b$" in content or b"~{" in content:  # ISO 2022 or HZ, or neither: its ASCII is read as it stands, too
            return (detect(content), "latin-1")
        return ("ascii",)
    if named is not None and named.startswith(_STATEFUL):
        return (named,) if _fits(content, named) else (None,)
    if _fits(content, "utf-8"):
        doubtful = named not in (None, "utf-8") and len(content.translate(None, _HIGH)) < _FEW
        return ("utf-8", named) if doubtful else ("utf-8",)
    if named is None:
        return (None,)
    if named.startswith(_WESTERN) and (found := detect(content)) and not found.startswith(_WESTERN):
        return (found, named)
    return (named,)


def _fits(content: bytes, encoding: str) -> bool:
    try:
        codecs.decode(content, encoding)
    except (UnicodeError, ValueError):
        return False
    return True


def unflowed(text: str, *, delete_space: bool) -> str:
    """Paragraphs of format=flowed (RFC 3676) in one line each; `delete_space` is its parameter DelSp."""
    return _FLOWED.sub("" if delete_space else " ", text)
