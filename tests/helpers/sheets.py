"""Binary workbooks made by code: records of BIFF ([MS-XLS] 2.3) and of BIFF12 ([MS-XLSB] 2.3), and the files they stand in."""

import struct
from collections.abc import Mapping, Sequence
from hashlib import md5

from tests.helpers.compound import a_compound
from tests.helpers.documents import Member, a_zip

LARGEST = 8224
"""Bytes of one record ([MS-XLS] 2.1.4)."""
_TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def a_record(kind: int, data: bytes = b"") -> bytes:
    """One record of BIFF2 to 8."""
    return struct.pack("<HH", kind, len(data)) + data


EOF = a_record(0x0A)


def a_beginning(kind: int = 0x10, *, version: int = 0x600) -> bytes:
    """BOF: `kind` is 0x05 for the globals, 0x10 for a sheet, 0x20 for a chart."""
    return a_record(0x809, struct.pack("<HHHHII", version, kind, 0, 0, 0, 0))


def characters(text: str) -> bytes:
    """The flags and the characters of a text in BIFF8, wide only where they must be ([MS-XLS] 2.5.293)."""
    wide = any(char > "\xff" for char in text)
    return bytes((wide,)) + text.encode("utf-16-le" if wide else "latin-1")


def a_text(text: str, *, size: int = 2) -> bytes:
    """The same behind a length of `size` bytes."""
    return len(text).to_bytes(size, "little") + characters(text)


def a_rich_text(text: str, *, runs: int = 0, reading: str = "") -> bytes:
    """A shared string with runs of fonts and the reading of its characters (2.5.293, 2.5.86)."""
    extension = struct.pack("<HHHHHH", 1, 0, 0, 0, 0, 0) + struct.pack("<H", len(reading)) + reading.encode("utf-16-le")
    flags = (0x08 if runs else 0) | (0x04 if reading else 0) | 1
    head = struct.pack("<HB", len(text), flags)
    head += struct.pack("<H", runs) if runs else b""
    head += struct.pack("<I", len(extension)) if reading else b""
    return head + text.encode("utf-16-le") + b"\x01\0\x02\0" * runs + (extension if reading else b"")


def shared_strings(strings: Sequence[str | bytes], *, largest: int = LARGEST) -> bytes:
    """SST with CONTINUE records; a string is cut where a record ends, and its rest is wide only where it must be (2.4.265)."""
    records: list[bytes] = []
    current = struct.pack("<II", len(strings), len(strings))
    for string in strings:
        if isinstance(string, bytes):
            current += string
            continue
        if len(current) + 3 > largest:
            records.append(current)
            current = b""
        raw = string.encode("utf-16-le")
        rest, first = "".join(map(chr, struct.unpack(f"<{len(raw) // 2}H", raw))), True  # a pair of surrogates may be cut
        current += struct.pack("<H", len(rest))
        while rest or first:
            wide = any(char > "\xff" for char in rest)
            current += bytes((wide,))
            fits = (largest - len(current)) // (1 + wide)
            current += rest[:fits].encode("utf-16-le" if wide else "latin-1", "surrogatepass")
            rest, first = rest[fits:], False
            if rest:
                records.append(current)
                current = b""
    records.append(current)
    return a_record(0xFC, records[0]) + b"".join(a_record(0x3C, data) for data in records[1:])


def a_cell(kind: int, place: tuple[int, int], data: bytes, *, style: int = 0) -> bytes:
    """A cell record of BIFF3 to 8 at `place` (row and column)."""
    return a_record(kind, struct.pack("<HHH", *place, style) + data)


def a_label(place: tuple[int, int], text: str) -> bytes:
    """A cell with its own text."""
    return a_cell(0x204, place, a_text(text))


def a_number(place: tuple[int, int], value: float, *, style: int = 0) -> bytes:
    """A cell with a double."""
    return a_cell(0x203, place, struct.pack("<d", value), style=style)


def a_shared(place: tuple[int, int], index: int) -> bytes:
    """A cell with a shared string."""
    return a_cell(0xFD, place, struct.pack("<I", index))


def a_box(text: str, *, comment: bool = False) -> bytes:
    """A text box, or a cell's comment: OBJ, TXO and the two records that continue it (2.4.181, 2.4.329)."""
    common = struct.pack("<HHHHHIII", 0x15, 18, 0x19 if comment else 0x06, 1, 0, 0, 0, 0)
    described = struct.pack("<HHHHHHHI", 0, 0, 0, 0, 0, len(text), 16, 0)
    return a_record(0x5D, common) + a_record(0x1B6, described) + a_record(0x3C, characters(text)) + a_record(0x3C, bytes(16))


def a_stream(
    sheets: Mapping[str, bytes],
    *,
    strings: Sequence[str | bytes] = (),
    states: Mapping[str, int] | None = None,
    more: bytes = b"",
) -> bytes:
    """A workbook stream of BIFF8: `sheets` are their records, `states` 1 (hidden) or 2 (very hidden), `more` global records."""
    shared = shared_strings(strings) if strings else b""
    size = len(a_beginning(0x05)) + len(more) + len(shared) + len(EOF)
    size += sum(10 + len(a_text(name, size=1)) for name in sheets)
    bound = b""
    for name, records in sheets.items():
        bound += a_record(0x85, struct.pack("<IH", size, (states or {}).get(name, 0)) + a_text(name, size=1))
        size += len(a_beginning()) + len(records) + len(EOF)
    bodies = b"".join(a_beginning() + records + EOF for records in sheets.values())
    return a_beginning(0x05) + more + bound + shared + EOF + bodies


def a_xls(
    sheets: Mapping[str, bytes],
    *,
    strings: Sequence[str | bytes] = (),
    states: Mapping[str, int] | None = None,
    more: bytes = b"",
) -> bytes:
    """A file with such a stream."""
    return a_compound({("Workbook",): a_stream(sheets, strings=strings, states=states, more=more)})


def encrypted(stream: bytes, password: str) -> bytes:
    """A workbook stream in RC4 with 40 bits ([MS-OFFCRYPTO] 2.3.6): the data of most records behind FILEPASS is encrypted."""
    salt, verifier = bytes(range(16)), bytes(range(16, 32))
    start = md5(password.encode("utf-16-le")).digest()[:5]
    middle = md5((start + salt) * 16).digest()[:5]
    proof = _keystream(middle, 0, 32)
    checked = bytes(a ^ b for a, b in zip(verifier + md5(verifier).digest(), proof, strict=True))
    head = 4 + struct.unpack_from("<H", stream, 2)[0]
    plain = stream[:head] + a_record(0x2F, struct.pack("<HHH", 1, 1, 1) + salt + checked) + stream[head:]
    key = b"".join(_keystream(middle, block, 1024) for block in range(len(plain) // 1024 + 1))
    out = bytearray(plain)
    at = 0
    while at < len(plain):
        kind, size = struct.unpack_from("<HH", plain, at)
        clear = {0x809: size, 0x2F: size, 0x85: 4}.get(kind, 0)
        for place in range(at + 4 + clear, at + 4 + size):
            out[place] ^= key[place]
        at += 4 + size
    return bytes(out)


def _keystream(middle: bytes, block: int, size: int) -> bytes:
    key = md5(middle + struct.pack("<I", block)).digest()
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % 16]) % 256
        state[i], state[j] = state[j], state[i]
    out = bytearray()
    i = j = 0
    for _ in range(size):
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(state[(state[i] + state[j]) % 256])
    return bytes(out)


def packaged(kind: int, data: bytes = b"") -> bytes:
    """One record of BIFF12: number and size in groups of seven bits ([MS-XLSB] 2.1.4)."""
    number = bytes((kind,)) if kind < 0x80 else bytes((kind & 0x7F | 0x80, kind >> 7))
    size, left = b"", len(data)
    while left >= 0x80:
        size += bytes((left & 0x7F | 0x80,))
        left >>= 7
    return number + size + bytes((left,)) + data


def wide(text: str) -> bytes:
    """A text behind its length ([MS-XLSB] 2.5.168)."""
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def a_row(number: int, *, hidden: bool = False) -> bytes:
    """The beginning of a row of BIFF12."""
    return packaged(0, struct.pack("<IIHBBB", number, 0, 300, 0, 0x10 if hidden else 0, 0) + bytes(4))


def a_packaged_cell(kind: int, column: int, data: bytes, *, style: int = 0) -> bytes:
    """A cell of BIFF12 in the current row."""
    return packaged(kind, struct.pack("<II", column, style) + data)


def a_xlsb(
    sheets: Mapping[str, bytes],
    *,
    strings: Sequence[str] = (),
    states: Mapping[str, int] | None = None,
    styles: bytes = b"",
    more: bytes = b"",
    extra: Mapping[str, Member] | None = None,
) -> bytes:
    """A package of BIFF12: `sheets` are their records, `more` records of the workbook, `styles` those of its styles."""
    book = more
    relations = ""
    members: dict[str, Member] = {"[Content_Types].xml": "<Types/>", "_rels/.rels": "<Relationships/>"}
    for number, (name, records) in enumerate(sheets.items(), 1):
        book += packaged(156, struct.pack("<II", (states or {}).get(name, 0), number) + wide(f"rId{number}") + wide(name))
        relations += f'<Relationship Id="rId{number}" Type="{_TYPES}/worksheet" Target="worksheets/sheet{number}.bin"/>'
        members[f"xl/worksheets/sheet{number}.bin"] = packaged(129) + records + packaged(130)
    members["xl/workbook.bin"] = packaged(131) + book + packaged(132)
    members["xl/_rels/workbook.bin.rels"] = f"<Relationships>{relations}</Relationships>"
    members["xl/sharedStrings.bin"] = b"".join(packaged(19, b"\0" + wide(string)) for string in strings)
    members["xl/styles.bin"] = styles
    return a_zip(members | dict(extra or {}))


def every_record() -> bytes:
    """A sheet of BIFF8 with a record of each layout that is gone into."""
    edges = bytes(28) + struct.pack("<H4H", 0, 1, 0, 0, 1) + a_text("e") + a_text("f")
    validation = struct.pack("<I", 3) + a_text("p") + a_text("e") + a_text("t") + a_text("w") + b"\6\0\0\0\x17\3\0a\0b"
    chart = a_beginning(0x20) + a_record(0x100D, b"\0\0" + a_text("c", size=1)) + a_number((0, 0), 7.5) + EOF
    formula = struct.pack("<HIH", 0, 0, 4) + b"\x17\1\0f"
    return (
        a_record(0x7D, struct.pack("<HHHHHH", 2, 2, 0, 0, 1, 0))
        + a_record(0x208, struct.pack("<HHHHHHI", 1, 0, 2, 255, 0, 0, 0x20))
        + a_shared((0, 0), 0)
        + a_label((0, 1), "机密")
        + a_number((0, 2), 45296.5, style=1)
        + a_cell(0x27E, (1, 1), struct.pack("<I", 123 << 2 | 3), style=2)
        + a_record(0xBD, struct.pack("<HHHIHIH", 1, 2, 0, 7 << 2 | 2, 1, 0x40590000, 3))
        + a_cell(0x205, (2, 0), b"\x2a\1")
        + a_cell(0x06, (2, 2), b"\0\0\0\0\0\0\xff\xff" + formula)
        + a_record(0x207, a_text("cached"))
        + a_record(0x14, a_text("&C机&B密"))
        + a_record(0x89C, edges)
        + a_box("box")
        + a_box("comment", comment=True)
        + a_record(0x1C, struct.pack("<HHHH", 0, 0, 0, 1) + a_text("author"))
        + a_record(0x1BE, validation)
        + a_record(0x9E, bytes(4) + b"\6\2\0\0\0\0\1\0\0\0" + bytes(10) + characters("f"))
        + chart
        + a_record(0x1B8, bytes(32) + "link".encode("utf-16-le"))
    )


def global_records() -> bytes:
    """Records of a workbook of BIFF8: formats and styles, a name, another workbook and what is cached of it."""
    name = struct.pack("<HBBHHH4B", 0, 0, 1, 4, 0, 0, 0, 0, 0, 0) + characters("n") + b"\x17\1\0v"
    styles = b"".join(a_record(0xE0, struct.pack("<HH", 0, code) + bytes(16)) for code in (0, 14, 164))
    return (
        a_record(0x41E, struct.pack("<H", 164) + a_text('[DBNum1]#,##0.00"元";[Red]-0%'))
        + styles
        + a_record(0x18, name)
        + a_record(0x1AE, struct.pack("<HH", 1, 2) + b"\0\1d" + a_text("s"))
        + a_record(0x5A, b"\1\0\0\0\2" + a_text("c") + b"\1" + struct.pack("<d", 1.5))
    )


def every_packaged_record() -> bytes:
    """A sheet of BIFF12 with a record of each layout that is gone into."""
    formula = struct.pack("<HI", 0, 5) + b"\x17\1\0f\0"
    return (
        packaged(60, struct.pack("<IIIIH", 1, 1, 0, 0, 1))
        + a_row(0)
        + a_packaged_cell(7, 0, struct.pack("<I", 0))
        + a_packaged_cell(62, 1, b"\3" + wide("机密") + bytes(4) + wide("r"))
        + a_packaged_cell(5, 2, struct.pack("<d", 45296.5), style=1)
        + a_packaged_cell(2, 3, struct.pack("<I", 123 << 2 | 3))
        + packaged(17, struct.pack("<I", 0) + wide("short"))
        + a_row(1, hidden=True)
        + a_packaged_cell(8, 0, wide("cached") + formula)
        + a_packaged_cell(11, 1, b"\x2a" + formula)
        + packaged(479, b"\0\0" + wide("&C机&B密") + wide("f") + b"\xff" * 16)
        + packaged(64, bytes(8) + wide("prompt") + b"\x17\1\0v\0")
    )
