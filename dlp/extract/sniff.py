"""What a document is: a media type found in its content, the name only breaking ties.

Own looks come first where libmagic needs help: it sees neither into a ZIP nor into an OLE file's directory, and
takes GB 18030 and UTF-16 for binary data. Everything else is libmagic's word.
"""

import re

# pylibmagic puts the library and its database where magic looks for them, so it is imported first.
import pylibmagic  # noqa: F401  # isort: skip
import magic  # isort: skip

from dlp.extract.budget import Unreadable
from dlp.extract.charset import SAMPLE, decode, detect
from dlp.extract.compound import MAGIC, names

OCTETS = "application/octet-stream"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
MAIL = "message/rfc822"
ENCRYPTED = "application/encrypted"
CMS = "application/pkcs7-mime"
PGP = "application/pgp-message"
_HEAD = 1 << 18
"""Bytes given to libmagic."""
_LOOK = 8192
"""Bytes in which a text shows that it is a message or a page."""

# Read here because a confined child opens no file.
_MAGIC = magic.Magic(mime=True)

_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"{\\rt", "application/rtf"),  # Word takes this much
    (b"-----BEGIN PGP MESSAGE-----", PGP),  # RFC 9580, 6.2.1
    (b"-----BEGIN PKCS7-----", CMS),  # RFC 7468, 8
    (b"-----BEGIN CMS-----", CMS),
    (b"age-encryption.org/v1", ENCRYPTED),
    (b"Salted__", ENCRYPTED),  # openssl enc
    (b"LUKS\xba\xbe", ENCRYPTED),
    (b"\x03\xd9\xa2\x9a", ENCRYPTED),  # KeePass
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),  # RFC 8878, 3.1.1
    (b"\x04\x22\x4d\x18", "application/x-lz4"),
    (b"\x02\x21\x4c\x18", "application/x-lz4"),  # the legacy frame, as Linux kernels have it
    (b"LZIP", "application/x-lzip"),
    (b"\x1f\x9d", "application/x-compress"),
    (b"\x5d\x00\x00", "application/x-lzma"),
    (b"\x89LZO\x00\r\n\x1a\n", "application/x-lzop"),
    (b"MSCF\x00\x00\x00\x00", "application/vnd.ms-cab-compressed"),  # [MS-CAB] 2.1
    (b"MSCF\x01\x00\x00\x00", "application/x-cab-lzx"),  # a folder that the reader of cabinets hands on
    (b"070701", "application/x-cpio"),
    (b"070702", "application/x-cpio"),
    (b"070707", "application/x-cpio"),
    (b"\xc7\x71", "application/x-cpio"),
    (b"!<arch>\n", "application/x-archive"),
    (b"xar!", "application/x-xar"),
    (b"\xed\xab\xee\xdb", "application/x-rpm"),
    (b"\x60\xea", "application/x-arj"),
    (b"\x78\x9f\x3e\x22", "application/ms-tnef"),  # [MS-OXTNEF] 2.1.3.1
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"\x00\x00\x00\x0cjP  ", "image/jp2"),
    (b"\xd7\xcd\xc6\x9a", "image/wmf"),  # [MS-WMF] 2.3.2.3
    (b"\x01\x00\x09\x00\x00\x03", "image/wmf"),  # [MS-WMF] 2.3.2.2
    (b"\x02\x00\x09\x00\x00\x03", "image/wmf"),
)
_PLACED = (  # signature, its offset, media type
    (b" EMF", 40, "image/emf"),  # [MS-EMF] 2.2.9
    (b"WEBP", 8, "image/webp"),
    (b"ftypheic", 4, "image/heic"),
    (b"ftypmif1", 4, "image/heif"),
    (b"ftypavif", 4, "image/avif"),
    (b"CD001", 32_769, "application/x-iso9660-image"),  # ECMA-119, 8.1
    (b"BEA01", 32_769, "application/x-udf-image"),  # ECMA-167, part 2, 9.1
)
_CMS = re.compile(  # ContentInfo with one of the types that carry content (RFC 5652, 3; RFC 3274; RFC 5083)
    rb"(?s)0(?:\x80|[\x01-\x7f]|\x81.|\x82..|\x83...|\x84....)\x06[\x09\x0b]\x2a\x86\x48\x86\xf7\x0d\x01"
    rb"(?:\x07[\x01-\x06]|\x09\x10\x01[\x09\x17])"
)
_PGP = re.compile(  # session keys, a one-pass signature or compressed packets stand first (RFC 9580, 4.2, 5.1, 5.3, 5.4, 5.6)
    rb"(?s)(?:\x84.|\x85[\x00-\x0f].|\xc1[\x10-\xdf]{1,2})\x03.{8}[\x01\x02\x03\x10\x12\x19]|[\x8c\xc3][\x04-\x40]\x04[\x01-\x0d][\x00\x01\x03]"
    rb"|[\x90\xc4]\x0d\x03[\x00\x01][\x01-\x0e]|\xa3(?:[\x01\x02]|\x03BZh)"
)
_LHA = re.compile(rb"(?s)..-lh[0-9dx]-|..-lz[45s]-|..-pm[012]-")
_BARE_SHEET = re.compile(  # BOF of BIFF2 to BIFF8 without a compound file around it ([MS-XLS] 2.4.21 and its forerunners)
    rb"(?s)\x09\x00\x04\x00..[\x10\x20\x40]\x00|\x09[\x02\x04]\x06\x00..[\x10\x20\x40\x00][\x00\x01]|\x09\x08[\x08\x10]\x00\x00[\x05\x06]"
)
_BITMAP = re.compile(rb"(?s)BM.{4}\x00{4}.{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00")
_OLE_STREAMS = (  # [MS-OFFCRYPTO] 2.3.2, [MS-OXMSG] 2.2, [MS-DOC], [MS-XLS], [MS-PPT] 2.1
    ("EncryptedPackage", ENCRYPTED),
    ("__properties_version1.0", "application/vnd.ms-outlook"),
    ("WordDocument", "application/msword"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
    ("Workbook", "application/vnd.ms-excel"),
    ("Book", "application/vnd.ms-excel"),
)
_PACKAGES = (  # the folders of ECMA-376 part 1
    ("word/", DOCX),
    ("xl/", XLSX),
    ("ppt/", PPTX),
)
_MBOX = re.compile(rb"From [^\r\n]{1,300}\d\d:\d\d[^\r\n]{0,100}\r?\n[\x21-\x39\x3b-\x7e]+[ \t]*:")  # RFC 4155, appendix A
_FIELD = re.compile(rb"[\x21-\x39\x3b-\x7e]+[ \t]*:")  # RFC 5322, 2.2
_MAIL_FIELDS = re.compile(
    rb"(?im)^(received|from|to|cc|subject|date|message-id|mime-version|return-path|delivered-to|reply-to|content-type"
    rb"|content-transfer-encoding|x-[a-z-]+)[ \t]*:"
)
_MULTIPART = re.compile(rb"(?im)^content-type[ \t]*:[ \t\r\n]*multipart/")
_CARD = re.compile(r"(?i)BEGIN:V(CARD|CALENDAR)\s")  # RFC 6350, 6.1.1; RFC 5545, 3.4
_HTML = re.compile(
    r"(?i)<(?:!doctype\s+html|html|head|body|title|meta|script|style|table|div|span|p|br|a|img|font|center|h[1-6]|ul|ol|form|iframe)[\s/>]"
)
_ELEMENT = re.compile(r"<[A-Za-z_]")
# The member "mimetype" stands first and is stored, so that it is seen from outside.
_MIMETYPE = re.compile(rb"PK\x03\x04(?s:.{14})(?s:(..)..)(?s:.{6})..mimetype(application/[\w.+-]{1,100})", re.DOTALL)
# The one root element that has an attribute of this name (ODF 1.3 part 3, 3.1.2).
_FLAT = re.compile(r"office:mimetype\s?=\s?[\"'](application/vnd\.oasis\.opendocument\.[a-z]{1,20})")
_STATED = ("application/vnd.oasis.opendocument", "application/vnd.sun.xml", "application/epub+zip")
"""What a package may call itself to be read as that; any other is taken apart as a ZIP."""
_TEXT_NAMES = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".htm": "text/html",
    ".html": "text/html",
    ".xhtml": "text/html",
    ".eml": MAIL,
    ".mht": MAIL,
    ".mhtml": MAIL,
}


def sniff(data: bytes | memoryview, *, name: str | None, media: str | None) -> str:
    """The media type of `data`. A `media` of message/rfc822 is believed, any other only among kinds of text."""
    if media == MAIL:
        return MAIL
    if not data:
        return "application/x-empty"
    head = bytes(data[:_HEAD])
    for signature, found in _SIGNATURES:
        if head.startswith(signature):
            return found
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _package(data)
    if head.startswith(MAGIC):
        return _ole(data)
    for signature, place, found in _PLACED:
        if head.startswith(signature, place):
            return found
    if _BITMAP.match(head):
        return "image/bmp"
    if _CMS.match(head):
        return CMS
    if _PGP.match(head):
        return PGP
    if _LHA.match(head):
        return "application/x-lha"
    if _BARE_SHEET.match(head):
        return "application/vnd.ms-excel"
    if is_tar(head):
        return "application/x-tar"
    if b"%PDF-" in head[:1024]:  # ISO 32000-1, annex H.3.4.1
        return "application/pdf"
    encoding = detect(head if len(head) <= SAMPLE else head[: SAMPLE + 1])
    return _magic(head) if encoding is None else _text(head, encoding, name=name, media=media)


def is_tar(head: bytes) -> bool:
    """Whether a tar header with a right checksum stands first (POSIX.1-2017 pax, ustar interchange format)."""
    if len(head) < 512:
        return False
    try:
        stated = int(head[148:156].strip(b" \0") or b"-1", 8)
    except ValueError:
        return False
    return stated == sum(head[:148]) + sum(head[156:512]) + 8 * 0x20


def _magic(head: bytes) -> str:
    try:
        found: str = _MAGIC.from_buffer(head)
    except magic.MagicException:
        return OCTETS
    if head.startswith(b"#!"):  # with something behind it that is no text
        return "application/x-shellscript"
    # What is no text by its bytes is none because libmagic says so.
    return OCTETS if found.startswith("text/") or found in {"application/json", "image/svg+xml", MAIL} else found


def _text(head: bytes, encoding: str, *, name: str | None, media: str | None) -> str:
    suffix = "." + name.rsplit(".", 1)[-1].lower() if name and "." in name else ""
    hint = _TEXT_NAMES.get(suffix, media or "")
    if _MBOX.match(head):
        return "application/mbox"
    if _is_message(head, sure=hint == MAIL):
        return MAIL
    shown = decode(head[:_LOOK], encoding).lstrip("\ufeff \t\r\n")
    if card := _CARD.match(shown):
        return "text/vcard" if card.group(1).upper() == "CARD" else "text/calendar"
    if hint == "text/html" or _HTML.match(shown) or (shown.startswith("<") and _is_page(shown[:2048])):
        return "text/html"
    if shown.startswith("<?xml") or re.match(r"<[\w!][^<>]*>", shown):
        flat = _FLAT.search(shown)
        return f"{flat.group(1)}-flat-xml" if flat else "text/xml"
    return hint if hint in {"text/csv", "application/json"} else "text/plain"


def _is_page(shown: str) -> bool:
    """Whether elements of HTML stand in markup; in what declares itself XML, which may use the same names, at its root."""
    first = _ELEMENT.search(shown) if shown.startswith("<?xml") else None
    return _HTML.match(shown, first.start()) is not None if first else _HTML.search(shown) is not None


def _is_message(head: bytes, *, sure: bool) -> bool:
    """Whether a header of RFC 5322 stands first: two of the fields that messages have, one if the name says so."""
    start = head[:_LOOK].lstrip(b"\xef\xbb\xbf\r\n\t ") if sure else head[:_LOOK]
    block = re.split(rb"\r?\n\r?\n|\r\r", start, maxsplit=1)[0]
    lines = [line for line in re.split(rb"[\r\n]+", block) if line[:1] not in (b" ", b"\t", b"")]
    if lines and lines[0].startswith((b"From ", b">From ")):
        lines = lines[1:]
    if not lines or not _FIELD.match(lines[0]) or (not sure and not all(_FIELD.match(line) for line in lines[:-1])):
        return False
    sure = sure or _MULTIPART.search(block) is not None
    return len({field.lower() for field in _MAIL_FIELDS.findall(block)}) >= (1 if sure else 2)


def _package(data: bytes | memoryview) -> str:
    """What is zipped, by the names and the marks that the formats prescribe."""
    if data[8:10] == b"\x62\0" and b"PK\1\2" not in bytes(data[-1 << 16 :]):
        return "application/x-zip-ppmd"  # one member that only libarchive unpacks, as the reader of ZIP hands it on
    names = zip_names(data)
    if "mimetype" in names:  # ODF 1.3 part 2, 3.3; EPUB OCF 3.3
        stated = _MIMETYPE.match(bytes(data[:200]))
        if stated and (found := stated.group(2)[: int.from_bytes(stated.group(1), "little")].decode()).startswith(_STATED):
            return found
        if not stated:
            return "application/vnd.oasis.opendocument" if "content.xml" in names else "application/epub+zip"
    if "OFD.xml" in names:  # GB/T 33190-2016, 7.1
        return "application/ofd"
    if "xl/workbook.bin" in names:
        return "application/vnd.ms-excel.sheet.binary.macroenabled.12"
    for folder, media in _PACKAGES:
        if any(name.startswith(folder) for name in names) and ("[Content_Types].xml" in names or "_rels/.rels" in names):
            return media
    return "application/zip"


def zip_names(data: bytes | memoryview) -> set[str]:
    """The first names in a ZIP, from its local headers (PKWARE APPNOTE 4.3.7), so that a damaged directory does not matter."""
    found: set[str] = set()
    for header in re.finditer(rb"PK\x03\x04(?s:.{22})(?s:(..))(?s:..)", data):
        size = int.from_bytes(header.group(1), "little")
        found.add(bytes(data[header.end() : header.end() + size]).decode("utf-8", "replace").replace("\\", "/"))
        if len(found) >= 200:
            break
    return found


def _ole(data: bytes | memoryview) -> str:
    """What an OLE compound file ([MS-CFB]) holds, by the names in its root; where they cannot be listed, by names anywhere."""
    try:
        known = {name.lower() for name in names(data)}
    except Unreadable:
        known = set()
    for stream, media in _OLE_STREAMS:
        if stream.lower() in known if known else re.search(re.escape(stream.encode("utf-16-le")), data):
            return media
    return "application/x-ole-storage"
