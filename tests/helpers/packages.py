"""Office documents beyond the smallest packages: flat ones, those of Office 2003, fonts, controls, printer settings."""

import base64
import io
import struct
import zipfile
from collections.abc import Mapping
from uuid import UUID
from xml.sax.saxutils import escape, quoteattr

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PKG = "http://schemas.microsoft.com/office/2006/xmlPackage"


def a_flat_package(package: bytes, *, prefix: str = "pkg") -> bytes:
    """A ZIP package as one XML file (flat OPC): XML parts as they are, others in base 64."""
    parts = ""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith((".xml", ".rels")):
                data = f"<{prefix}:xmlData>{content.decode().removeprefix(_XML)}</{prefix}:xmlData>"
            else:
                data = f"<{prefix}:binaryData>{base64.encodebytes(content).decode()}</{prefix}:binaryData>"
            parts += f'<{prefix}:part {prefix}:name={quoteattr("/" + name)} {prefix}:contentType="a/b">{data}</{prefix}:part>'
    mark = '<?mso-application progid="Word.Document"?>'
    return f'{_XML}{mark}<{prefix}:package xmlns:{prefix}="{_PKG}">{parts}</{prefix}:package>'.encode()


def a_word_2003_document(body: str, *, header: str = "", title: str = "", binary: Mapping[str, bytes] | None = None) -> bytes:
    """WordprocessingML of Office 2003; `body` is markup."""
    coded = {name: base64.encodebytes(content).decode() for name, content in (binary or {}).items()}
    data = "".join(f"<w:pict><w:binData w:name={quoteattr(name)}>{text}</w:binData></w:pict>" for name, text in coded.items())
    edge = f'<w:sectPr><w:hdr w:type="odd"><w:p><w:r><w:t>{escape(header)}</w:t></w:r></w:p></w:hdr></w:sectPr>'
    properties = f"<o:DocumentProperties><o:Title>{escape(title)}</o:Title></o:DocumentProperties>"
    return (
        f'{_XML}<?mso-application progid="Word.Document"?><w:wordDocument xmlns:w="http://schemas.microsoft.com/office/word/2003/wordml"'
        f' xmlns:o="urn:schemas-microsoft-com:office:office">{properties}<w:body>{body}{data}{edge}</w:body></w:wordDocument>'
    ).encode()


def an_excel_2003_workbook(sheets: Mapping[str, str], *, hidden: str = "") -> bytes:
    """SpreadsheetML of Office 2003: each sheet's rows as markup; the one named `hidden` is not shown."""
    tables = ""
    for name, rows in sheets.items():
        state = "<x:Visible>SheetHidden</x:Visible>" if name == hidden else ""
        options = f"<x:WorksheetOptions>{state}</x:WorksheetOptions>"
        tables += f"<Worksheet ss:Name={quoteattr(name)}><Table>{rows}</Table>{options}</Worksheet>"
    return (
        f'{_XML}<?mso-application progid="Excel.Sheet"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"'
        f' xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">{tables}</Workbook>'
    ).encode()


def a_device_mode(name: str, *, private: bytes = b"", slack: bytes = b"") -> bytes:
    """Printer settings of Windows (DEVMODEW, [MS-RPRN] 2.2.2.1), with `slack` behind what their sizes say."""
    head = name.encode("utf-16-le")[:62].ljust(64, b"\0") + struct.pack("<HHHH", 0x0401, 0, 220, len(private))
    return head.ljust(220, b"\0") + private + slack


def a_ticket(text: str) -> bytes:
    """Printer settings of macOS: two property lists."""
    lists = [f'<?xml version="1.0"?><plist><string>{escape(value)}</string></plist>'.encode() for value in (text, "second")]
    records = (struct.pack("<II", kind, len(data)) + data for kind, data in enumerate(lists, 1))
    return struct.pack("<I", 2) + b"".join(records)


def a_font(name: str, *, hidden: bool = False) -> bytes:
    """The directory and the name table of an OpenType font; `hidden` as Word embeds it (ECMA-376 part 4, 17.8.1)."""
    tables = (b"OS/2", b"cmap", b"glyf", b"head", b"hhea", b"hmtx", b"loca", b"maxp", b"name", b"post")
    text = name.encode("utf-16-be")
    start = 12 + 16 * len(tables)
    entries = b"".join(struct.pack(">4sIII", tag, 0, start, len(text)) for tag in tables)
    font = b"\0\1\0\0" + struct.pack(">HHHH", len(tables), 128, 3, 32) + entries + text
    return bytes(byte ^ 0x5A for byte in font[:32]) + font[32:] if hidden else font


def an_embedded_font(name: str) -> bytes:
    """Embedded OpenType, which PowerPoint's .fntdata is (W3C submission EOT, 3.1)."""
    text = name.encode("utf-16-le")
    rest = struct.pack("<III", 0, 0x20001, 0) + b"\0" * 18 + b"LP" + b"\0" * 46 + struct.pack("<H", len(text)) + text
    return struct.pack("<I", 4 + len(rest)) + rest


def a_control(caption: str, *, picture: bytes = b"") -> bytes:
    """A command button as ActiveX keeps it ([MS-OFORMS] 2.2.1), with a picture."""
    body = (
        UUID("d7053240-ce69-11cd-a777-00dd01143c57").bytes_le
        + b"\0\2"
        + struct.pack("<H", 40)
        + caption.encode("utf-16-le")
        + b"\0\0"
    )
    if picture:
        body += UUID("0be35204-8f91-11ce-9de3-00aa004bb851").bytes_le + struct.pack("<II", 0x746C, len(picture)) + picture
    return body
