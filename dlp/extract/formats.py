"""Every format that is read: one file, one line."""

from importlib import import_module

from dlp.extract.format import Format

NAMES = (
    "docx",
    "doc",
    "xlsx",
    "xls",
    "xlsb",
    "pptx",
    "ppt",
    "pdf",
    "image",
    "rtf",
    "odf",
    "ofd",
    "epub",
    "eml",
    "mbox",
    "msg",
    "tnef",
    "cms",
    "pgp",
    "vcard",
    "emf",
    "wmf",
    "html",
    "xml",
    "text",
    "zip",
    "tar",
    "gzip",
    "bzip2",
    "xz",
    "filtered",
    "archive",
    "cab",
    "compress",
    "executable",
    "rpm",
    "arj",
    "rar",
    "seven_zip",
    "ole",
    "encrypted",
)
"""The modules of this room that have a FORMAT."""
FORMATS: tuple[Format, ...] = tuple(import_module(f"dlp.extract.{name}").FORMAT for name in NAMES)
_BY_MEDIA = {media: form for form in FORMATS for media in form.media_types}


def format_for(media_type: str) -> Format | None:
    """The format that reads `media_type`, or None."""
    return _BY_MEDIA.get(media_type) or _BY_MEDIA.get(media_type.split("/")[0] + "/*")
