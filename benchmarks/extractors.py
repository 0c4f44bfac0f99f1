"""Other extractors, as far as they are installed (`make bench-extract` installs them): name → function from bytes to text.

`per format` is the library most Python programs would take for each format; `kreuzberg` is one program for all of them.
"""

import io
from collections.abc import Callable, Iterator
from importlib.util import find_spec

Reader = Callable[[bytes, str], str]

_MEDIA = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "xlsb": "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "rtf": "application/rtf",
    "pdf": "application/pdf",
    "html": "text/html",
    "htm": "text/html",
    "eml": "message/rfc822",
    "msg": "application/vnd.ms-outlook",
    "epub": "application/epub+zip",
    "txt": "text/plain",
}


def installed() -> dict[str, Reader]:
    """The extractors that can be imported here."""
    found: dict[str, Reader] = {}
    if all(find_spec(name) for name in ("docx", "openpyxl", "pptx", "pypdf", "striprtf", "xlrd", "bs4")):
        found["per format"] = _by_format
    if find_spec("kreuzberg"):
        found["kreuzberg"] = _kreuzberg
    return found


def _by_format(data: bytes, name: str) -> str:
    read = _FORMATS.get(name.rpartition(".")[2].lower())
    if read is None:
        raise ValueError("no library for this format")
    return read(data)


def _docx(data: bytes) -> str:
    import docx

    document = docx.Document(io.BytesIO(data))
    cells = (cell.text for held in document.tables for line in held.rows for cell in line.cells)
    return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])


def _xlsx(data: bytes) -> str:
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
    rows = (line for sheet in book.worksheets for line in sheet.iter_rows(values_only=True))
    return "\n".join([*book.sheetnames, *("\t".join(str(value) for value in line if value is not None) for line in rows)])


def _pptx(data: bytes) -> str:
    import pptx

    shapes = (shape for slide in pptx.Presentation(io.BytesIO(data)).slides for shape in slide.shapes)
    return "\n".join(shape.text_frame.text for shape in shapes if shape.has_text_frame)


def _pdf(data: bytes) -> str:
    import pypdf

    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)


def _rtf(data: bytes) -> str:
    from striprtf.striprtf import rtf_to_text

    text: str = rtf_to_text(data.decode("latin-1"), errors="ignore")
    return text


def _xls(data: bytes) -> str:
    import xlrd

    book = xlrd.open_workbook(file_contents=data, logfile=io.StringIO())
    values = (str(sheet.cell_value(r, c)) for sheet in book.sheets() for r in range(sheet.nrows) for c in range(sheet.ncols))
    return "\n".join([*book.sheet_names(), *values])


def _html(data: bytes) -> str:
    import bs4

    return bs4.BeautifulSoup(data, "html.parser").get_text("\n")


def _eml(data: bytes) -> str:
    import email
    import email.policy

    message = email.message_from_bytes(data, policy=email.policy.default)

    def pieces() -> Iterator[str]:
        yield from (str(value) for value in message.values())
        for part in message.walk():
            if part.get_content_maintype() == "text":
                yield str(part.get_content())

    return "\n".join(pieces())


_FORMATS: dict[str, Callable[[bytes], str]] = {
    "docx": _docx,
    "xlsx": _xlsx,
    "pptx": _pptx,
    "pdf": _pdf,
    "rtf": _rtf,
    "xls": _xls,
    "html": _html,
    "htm": _html,
    "eml": _eml,
    "txt": lambda data: data.decode("utf-8", "replace"),
}


def _kreuzberg(data: bytes, name: str) -> str:
    # Imported in the process of each document: it starts threads, which do not survive a fork.
    import kreuzberg

    result = kreuzberg.extract_bytes_sync(data, _MEDIA[name.rpartition(".")[2].lower()])
    return str(result.content)
