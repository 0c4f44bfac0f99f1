"""Documents of Office 97-2003 made by code: [MS-DOC], [MS-PPT], [MS-OLEPS], [MS-OVBA]; no more of each than a reader must see."""

import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from hashlib import md5
from itertools import pairwise

from msoffcrypto.method.ecma376_agile import ECMA376Agile
from msoffcrypto.method.rc4 import DocumentRC4

from tests.helpers.compound import a_compound

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
_TEXT_AT = 0x600
_VANISH, _DELETED = 0x083C, 0x0800
_PLACES = {"glossary": 9, "headers": 11, "characters": 12, "bookmarks": 21, "associated": 32, "pieces": 33, "commenters": 36}
_PLACES |= {"drawings": 50, "authors": 51, "variables": 60, "saved_by": 71, "lists": 73}


def wide(text: str) -> bytes:
    """UTF-16 as Office writes it."""
    return text.encode("utf-16-le")


def counted(text: str) -> bytes:
    """A string behind the number of its characters."""
    return struct.pack("<H", len(text)) + wide(text)


def a_string_table(strings: Sequence[str], *, extra: int = 0) -> bytes:
    """An STTB in Unicode ([MS-DOC] 2.2.4)."""
    return struct.pack("<HHH", 0xFFFF, len(strings), extra) + b"".join(counted(text) + bytes(extra) for text in strings)


def a_doc(
    body: str = "",
    *,
    footnotes: str = "",
    headers: Sequence[str] = (),
    macros: str = "",
    comments: str = "",
    endnotes: str = "",
    textboxes: str = "",
    header_textboxes: str = "",
    hidden: Sequence[str] = (),
    deleted: Sequence[str] = (),
    tables: Mapping[str, bytes] | None = None,
    data: bytes = b"",
    password: str = "",
    fast_saved: str = "",
    extra: Mapping[tuple[str, ...], bytes] | None = None,
) -> bytes:
    """A document whose text lies in three pieces, the last one first, each in Unicode only where it must be.

    `headers` are the stories of the header document from its seventh on; `hidden` and `deleted` are in one piece each;
    `tables` are contents of the table stream by their names in `_PLACES`; `fast_saved` is text that no piece refers to.
    """
    header_text = "".join(headers)
    stories = (body, footnotes, header_text, macros, comments, endnotes, textboxes, header_textboxes)
    text = "".join(stories)
    main, pieces = _text_stream(text, fast_saved)
    page = _characters(text, pieces, [(run, _VANISH) for run in hidden] + [(run, _DELETED) for run in deleted])
    place = len(main) // 512
    main += page
    bounds = [0] * 6 + [sum(map(len, headers[:number])) for number in range(len(headers) + 1)] + [len(header_text)]
    held = {
        "pieces": _clx(text, pieces),
        "characters": struct.pack("<III", _TEXT_AT, len(main), place),
        "headers": struct.pack(f"<{len(bounds)}I", *bounds) if headers else b"",
        **(tables or {}),
    }
    table = bytearray(52 if password else 0)
    pairs = bytearray(8 * 93)
    for name, content in held.items():
        struct.pack_into("<II", pairs, 8 * _PLACES[name], len(table), len(content))
        table += content
    if "lists" in held:  # the levels follow what the length counts
        struct.pack_into("<I", pairs, 8 * _PLACES["lists"] + 4, 2 + 28 * int.from_bytes(held["lists"][:2], "little"))
    main[:_TEXT_AT] = _fib(stories, bytes(pairs), encrypted=bool(password), fast_saved=bool(fast_saved))
    streams = {("WordDocument",): bytes(main), ("1Table",): bytes(table), **(extra or {})}
    if data:
        streams["Data",] = data
    return a_compound(_locked(streams, password) if password else streams)


def _fib(stories: Sequence[str], pairs: bytes, *, encrypted: bool, fast_saved: bool) -> bytes:
    flags = 0x0200 | (0x0100 if encrypted else 0) | (0x0004 if fast_saved else 0)
    fib = struct.pack("<HHHHHHHIHHI", 0xA5EC, 0xC1, 0, 0x0804, 0, flags, 0xBF, 52 if encrypted else 0, 0, 0, 0)[:0x18].ljust(
        0x18, b"\0"
    )
    fib += struct.pack("<II", _TEXT_AT, 0x10000) + struct.pack("<H", 14) + bytes(28) + struct.pack("<H", 22)
    fib += struct.pack("<11i", 0, 0, 0, *map(len, stories)) + bytes(4 * 11)
    fib += struct.pack("<H", len(pairs) // 8) + pairs
    return fib.ljust(_TEXT_AT, b"\0")


def _text_stream(text: str, unused: str) -> tuple[bytearray, list[tuple[int, int, int, int]]]:
    """The main stream up to a page's beginning, and start, end, offset and width of each piece."""
    third = len(text) // 3
    cuts = [0, third, 2 * third, len(text)]
    main = bytearray(_TEXT_AT)
    pieces = []
    for start, end in reversed([*pairwise(cuts)]):
        content = text[start:end]
        narrow = not any(char > "\xff" for char in content)
        pieces.append((start, end, len(main), 1 if narrow else 2))
        main += content.encode("cp1252") if narrow else wide(content)
    main += wide(unused)
    return main + bytearray(-len(main) % 512), sorted(pieces)


def _clx(text: str, pieces: Sequence[tuple[int, int, int, int]]) -> bytes:
    bounds = struct.pack(f"<{len(pieces) + 1}I", *(piece[0] for piece in pieces), len(text))
    packed = (struct.pack("<HIH", 0, offset if width == 2 else 0x40000000 | 2 * offset, 0) for _, _, offset, width in pieces)
    plc = bounds + b"".join(packed)
    ignored = b"\1" + struct.pack("<H", 3) + b"\x35\x08\1"
    return ignored + b"\2" + struct.pack("<I", len(plc)) + plc


def _characters(text: str, pieces: Sequence[tuple[int, int, int, int]], marked: Sequence[tuple[str, int]]) -> bytes:
    """One page of character properties ([MS-DOC] 2.9.34)."""
    runs = []
    for run, property_number in marked:
        at = text.index(run)
        start, _, offset, width = next(piece for piece in pieces if piece[0] <= at < piece[1])
        first = offset + (at - start) * width
        runs.append((first, first + len(run) * width, property_number))
    bounds, properties, at = [_TEXT_AT], [], _TEXT_AT
    for first, last, property_number in sorted(runs):
        if first > at:
            bounds.append(first)
            properties.append(0)
        bounds.append(last)
        properties.append(property_number)
        at = last
    page = bytearray(512)
    page[511] = len(properties)
    struct.pack_into(f"<{len(bounds)}I", page, 0, *bounds)
    place = 480
    for number, property_number in enumerate(properties):
        if property_number:
            place -= 10
            page[4 * len(bounds) + number] = place // 2
            # A font size before, so that properties have to be gone through.
            page[place : place + 8] = struct.pack("<BHHHB", 7, 0x4A43, 24, property_number, 1)
    return bytes(page)


def _locked(streams: Mapping[tuple[str, ...], bytes], password: str) -> dict[tuple[str, ...], bytes]:
    """RC4 with a key of 40 bits ([MS-OFFCRYPTO] 2.3.6); the cipher is its own inverse."""
    salt, verifier = bytes(range(16)), bytes(range(16, 32))

    def turned(content: bytes) -> bytes:
        result: bytes = DocumentRC4.decrypt(password, salt, io.BytesIO(content)).read()
        return result

    sealed = turned(verifier + md5(verifier).digest())
    main, table = streams["WordDocument",], streams["1Table",]
    header = struct.pack("<HH", 1, 1) + salt + sealed
    return {
        **streams,
        ("WordDocument",): main[:0x44] + turned(main)[0x44:],
        ("1Table",): header + turned(table)[len(header) :],
        **{path: turned(content) for path, content in streams.items() if path == ("Data",)},
    }


def a_word_95(text: bytes, *, language: int = 0x0804) -> bytes:
    """A document of Word 95: text in a code page between its two ends."""
    fib = struct.pack("<HHHHHH", 0xA5DC, 104, 0, language, 0, 0).ljust(0x18, b"\0")
    fib += struct.pack("<II", 0x300, 0x300 + len(text))
    fib = fib.ljust(0x34, b"\0") + struct.pack("<I", len(text))
    return a_compound({("WordDocument",): fib.ljust(0x300, b"\0") + text + bytes(4096)})


def a_picture_in_text(content: bytes) -> bytes:
    """What the Data stream holds of a picture ([MS-DOC] 2.9.190)."""
    return struct.pack("<IHH", 68 + len(content), 68, 0x64).ljust(68, b"\0") + content


def a_form_field(*texts: str, choices: Sequence[str] = ()) -> bytes:
    """Name, default, format, help, status and two macros of a text field ([MS-DOC] 2.9.78)."""
    body = struct.pack("<IHHH", 0xFFFFFFFF, 0, 0, 0) + b"".join(counted(text) + bytes(2) for text in texts)
    body += a_string_table(choices)
    return struct.pack("<IH", 68 + len(body), 68).ljust(68, b"\0") + body


def a_list(*levels: str) -> bytes:
    """Lists of one level each ([MS-DOC] 2.9.131)."""
    lists = b"".join(bytes(26) + b"\1\0" for _ in levels)
    return struct.pack("<H", len(levels)) + lists + b"".join(bytes(28) + counted(level) for level in levels)


def a_record(kind: int, content: bytes | Sequence[bytes] = b"", *, instance: int = 0) -> bytes:
    """A record of PowerPoint or of a drawing; a sequence makes a container."""
    body = content if isinstance(content, bytes) else b"".join(content)
    return struct.pack("<HHI", instance << 4 | (0 if isinstance(content, bytes) else 0xF), kind, len(body)) + body


def a_shape_options(**words: str) -> bytes:
    """A table of shape properties: `description`, `word_art`, `link`."""
    numbers = {"description": 0x0381, "word_art": 0x00C0, "link": 0x0382}
    values = [wide(word + "\0") for word in words.values()]
    table = (struct.pack("<HI", 0x8000 | numbers[name], len(value)) for name, value in zip(words, values, strict=True))
    return a_record(0xF00B, b"".join(table) + b"".join(values), instance=len(words))


def a_blip(picture: bytes) -> bytes:
    """A PNG in a drawing."""
    return a_record(0xF01E, bytes(16) + b"\xff" + picture, instance=0x6E0)


def a_metafile(picture: bytes) -> bytes:
    """A compressed EMF in a drawing."""
    packed = zlib.compress(picture)
    return a_record(0xF01A, bytes(16) + struct.pack("<I28xBB", len(picture), 0, 0xFE) + packed, instance=0x3D4)


def a_textbox(text: str, *, kind: int = 4, placeholder: int | None = None) -> bytes:
    """A shape with a text of `kind` ([MS-PPT] 2.13.33)."""
    held = [a_record(0xF011, [a_record(0x0BC3, struct.pack("<iBBH", 0, placeholder, 0, 0))])] if placeholder is not None else []
    return a_record(0xF004, [*held, a_record(0xF00D, [_text_header(kind), _chars(text)])])


def _text_header(kind: int) -> bytes:
    return a_record(0x0F9F, struct.pack("<I", kind))


def _chars(text: str) -> bytes:
    return a_record(0x0FA8, text.encode("ascii")) if text.isascii() else a_record(0x0FA0, wide(text))


def a_string(text: str, instance: int = 0) -> bytes:
    """A CString."""
    return a_record(0x0FBA, wide(text), instance=instance)


def a_ppt(
    outline: Sequence[Sequence[tuple[int, str]]] = (),
    *,
    slides: Mapping[int, Sequence[bytes]] | None = None,
    notes: Mapping[int, str] | None = None,
    master: Sequence[bytes] = (),
    old_slide: str = "",
    header: str = "",
    footer: str = "",
    comment: str = "",
    link: str = "",
    embedded: bytes = b"",
    pictures: bytes = b"",
    token: int = 0xE391C05F,
    extra: Mapping[tuple[str, ...], bytes] | None = None,
) -> bytes:
    """`outline` are for each slide the texts of its placeholders with their kinds, `slides` and `notes` what stands on the
    slide of that number; slides are stored in the reverse of their order."""
    count = len(outline)
    listed = [
        item
        for number, texts in enumerate(outline, 1)
        for item in (
            a_record(0x03F3, struct.pack("<IIiII", number + 1, 0, len(texts), 255 + number, 0)),
            *(part for kind, text in texts for part in (_text_header(kind), _chars(text))),
        )
    ]
    document = a_record(
        0x03E8,
        [
            a_record(0x0409, [a_record(0x0FD7, [a_string(link, 1)])]),
            a_record(0x0FF0, listed[:] or [b""]),
            a_record(0x0FD9, [a_string(header, 1), a_string(footer, 2)], instance=3),
        ],
    )
    stream, places = document, {1: 0}
    if old_slide:
        stream += a_record(0x03EE, [a_textbox(old_slide)])
    for number in range(count, 0, -1):
        places[number + 1] = len(stream)
        tags = a_record(0x138B, a_record(0x2EE0, [a_string("AUTHOR", 0), a_string(comment, 1)]))
        held = [a_record(0x1388, [a_record(0x138A, [a_string("___PPT10"), tags])])] if comment and number == 1 else []
        stream += a_record(0x03EE, [*(slides or {}).get(number, ()), *held])
    for number, text in (notes or {}).items():
        places[100 + number] = len(stream)
        stream += a_record(0x03F0, [a_record(0x03F1, struct.pack("<IHH", 255 + number, 0, 0)), a_textbox(text, kind=2)])
    if master:
        places[200] = len(stream)
        stream += a_record(0x03F8, master)
    if embedded:
        stream += a_record(0x1011, struct.pack("<I", len(embedded)) + zlib.compress(embedded), instance=1)
    stream += a_record(0x1772, b"".join(struct.pack("<II", 1 << 20 | number, place) for number, place in places.items()))
    user = a_record(0x0FF6, struct.pack("<IIIHHBBH", 20, token, len(stream), 0, 1012, 3, 0, 0))
    streams = {("PowerPoint Document",): stream, ("Current User",): user, ("Pictures",): pictures, **(extra or {})}
    return a_compound(streams)


def a_property_set(
    values: Mapping[int, str] | None = None,
    *,
    custom: Mapping[str, str] | None = None,
    code_page: int = 1252,
    encoding: str = "cp1252",
) -> bytes:
    """A stream with the summary's `values` by number, or with `custom` properties in a second set as Office has them."""
    summary = bytes.fromhex("e0859ff2f94f6810ab9108002b27b3d9" if custom is None else "02d5cdd59c2e1b10939708002b2cf9ae")
    first = _set({1: _short(code_page)} | {number: _ansi(value, encoding) for number, value in (values or {}).items()})
    if custom is None:
        return struct.pack("<HHI16xI16sI", 0xFFFE, 0, 2, 1, summary, 48) + first
    names = b"".join(struct.pack("<II", number, len(name) + 1) + name.encode() + b"\0" for number, name in enumerate(custom, 2))
    dictionary = struct.pack("<I", len(custom)) + names
    second = _set(
        {0: dictionary + bytes(-len(dictionary) % 4), 1: _short(code_page)}
        | {
            number: struct.pack("<II", 0x1F, len(value) + 1) + wide(value + "\0")
            for number, value in enumerate(custom.values(), 2)
        }
    )
    user = bytes.fromhex("05d5cdd59c2e1b10939708002b2cf9ae")
    return struct.pack("<HHI16xI16sI16sI", 0xFFFE, 0, 2, 2, summary, 68, user, 68 + len(first)) + first + second


def _set(values: Mapping[int, bytes]) -> bytes:
    at, table, content = 8 + 8 * len(values), b"", b""
    for number, value in values.items():
        table += struct.pack("<II", number, at + len(content))
        content += value + bytes(-len(value) % 4)
    return struct.pack("<II", at + len(content), len(values)) + table + content


def _short(value: int) -> bytes:
    return struct.pack("<IHH", 2, value, 0)


def _ansi(value: str, encoding: str) -> bytes:
    raw = (value + "\0").encode(encoding)
    return struct.pack("<II", 0x1E, len(raw)) + raw


def a_vba_project(source: str, *, under: tuple[str, ...] = ("Macros",), name: str = "Module1") -> dict[tuple[str, ...], bytes]:
    """The streams of a macro project in code page 936 ([MS-OVBA])."""
    cache = b"\x01\x16COMPILED STRING"
    directory = struct.pack("<HIH", 3, 2, 936) + struct.pack("<HIIH", 9, 4, 1, 1)
    directory += struct.pack("<HI", 0x19, len(name)) + name.encode() + struct.pack("<HI", 0x1A, len(name)) + name.encode()
    directory += struct.pack("<HII", 0x31, 4, len(cache))
    module = cache + a_container(('Attribute VB_Name = "Module1"\r\n' + source).encode("gb18030"))
    return {
        (*under, "VBA", "dir"): a_container(directory),
        (*under, "VBA", name): module,
        (*under, "VBA", "_VBA_PROJECT"): b"\xcc\x61\xff\xff\0\0\0",
        (*under, "PROJECT"): b'ID="{0}"\r\nName="PROJECTNAME"\r\n',
        (*under, "Form1", "o"): b"\0\2\x18\0" + b"CAPTION1".ljust(16, b"\0"),
    }


def a_container(data: bytes) -> bytes:
    """A compressed container ([MS-OVBA] 2.4.1) in which what repeats the last byte is a copy, and all else stands for itself."""
    chunks = [data[at : at + 4096] for at in range(0, len(data), 4096)]
    return b"\1" + b"".join(map(_compressed_chunk, chunks))


def _compressed_chunk(chunk: bytes) -> bytes:
    tokens: list[bytes] = []
    at = 0
    while at < len(chunk):
        run = chunk[at : at + 3]
        if at and len(run) == 3 and run == chunk[at - 1 : at] * 3:
            tokens.append(struct.pack("<H", 0))  # offset 1, length 3
            at += 3
        else:
            tokens.append(chunk[at : at + 1])
            at += 1
    groups = [tokens[first : first + 8] for first in range(0, len(tokens), 8)]
    flagged = (bytes([sum(1 << bit for bit, token in enumerate(group) if len(token) == 2)]) + b"".join(group) for group in groups)
    packed = b"".join(flagged)
    return struct.pack("<H", 0xB000 | (len(packed) - 1)) + packed


def a_package(name: str, content: bytes) -> bytes:
    """The native data of a file that the Object Packager has embedded."""
    path = b"C:\\TEMPORARY1\\" + name.encode("gb18030") + b"\0"
    body = b"\2\0" + name.encode("gb18030") + b"\0C:\\ORIGIN1\0" + b"\0\0\3\0" + struct.pack("<I", len(path)) + path
    body += struct.pack("<I", len(content)) + content
    return struct.pack("<I", len(body)) + body


def sealed(package: bytes, password: str, *, rounds: int = 1000) -> bytes:
    """An OOXML package under agile encryption ([MS-OFFCRYPTO] 2.3.4.10)."""
    info, key = ECMA376Agile.generate_encryption_parameters(password, None, rounds)
    content = ECMA376Agile.encrypt_payload(io.BytesIO(package), info.encryptedKey, key, info.keyData.saltValue)
    description = ECMA376Agile.get_encryption_information(info, content, key)
    return a_compound({("EncryptedPackage",): content, ("EncryptionInfo",): description})
