"""Every format that is read: one file, one line."""

from dlp.extract import (
    archive,
    bzip2,
    cms,
    docx,
    emf,
    eml,
    encrypted,
    filtered,
    gzip,
    html,
    image,
    mbox,
    msg,
    odf,
    pdf,
    pgp,
    pptx,
    rtf,
    seven_zip,
    tar,
    text,
    tnef,
    vcard,
    wmf,
    xls,
    xlsb,
    xlsx,
    xml,
    xz,
    zip,
)
from dlp.extract.format import Format

FORMATS: tuple[Format, ...] = (
    docx.FORMAT,
    xlsx.FORMAT,
    xls.FORMAT,
    xlsb.FORMAT,
    pptx.FORMAT,
    pdf.FORMAT,
    image.FORMAT,
    rtf.FORMAT,
    odf.FORMAT,
    eml.FORMAT,
    mbox.FORMAT,
    msg.FORMAT,
    tnef.FORMAT,
    cms.FORMAT,
    pgp.FORMAT,
    vcard.FORMAT,
    emf.FORMAT,
    wmf.FORMAT,
    html.FORMAT,
    xml.FORMAT,
    text.FORMAT,
    zip.FORMAT,
    tar.FORMAT,
    gzip.FORMAT,
    bzip2.FORMAT,
    xz.FORMAT,
    filtered.FORMAT,
    archive.FORMAT,
    seven_zip.FORMAT,
    encrypted.FORMAT,
)
_BY_MEDIA = {media: form for form in FORMATS for media in form.media_types}


def format_for(media_type: str) -> Format | None:
    """The format that reads `media_type`, or None."""
    return _BY_MEDIA.get(media_type) or _BY_MEDIA.get(media_type.split("/")[0] + "/*")
