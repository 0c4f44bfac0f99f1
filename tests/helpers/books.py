"""OFD documents (GB/T 33190-2016) and EPUB books (version 3.3) made by code."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from tests.helpers.documents import Member, a_zip

_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
_OFD = 'xmlns:ofd="http://www.ofdspec.org/2016"'


def a_text(text: str, x: float = 10, y: float = 10, *, attributes: str = "") -> str:
    """A line of an OFD page: five millimetres to a character."""
    deltas = " ".join("5" for _ in text[1:])
    placed = f'Boundary="{x} {y} 100 6" Size="5" Font="1" {attributes}'
    return f'<ofd:TextObject {placed}><ofd:TextCode X="0" Y="5" DeltaX="{deltas}">{escape(text)}</ofd:TextCode></ofd:TextObject>'


def an_ofd(
    pages: Sequence[str] = (a_text("Hello"),),
    *,
    template: str = "",
    information: str = "",
    annotations: str = "",
    extra: Mapping[str, Member] | None = None,
) -> bytes:
    """A document: `pages` are the markup of their layers, listed in the reverse order of their names.

    `template` is a layer, `information` stands in DocInfo, `annotations` in the first page's; `extra` are members.
    """
    count = len(pages)
    listed = "".join(f'<ofd:Page ID="{i}" BaseLoc="Pages/Page_{count - i}/Content.xml"/>' for i in range(1, count + 1))
    models = '<ofd:TemplatePage ID="90" BaseLoc="Tpls/Tpl_0/Content.xml"/>' if template else ""
    members: dict[str, Member] = {
        "OFD.xml": f"{_XML}<ofd:OFD {_OFD}><ofd:DocBody><ofd:DocInfo>{information}</ofd:DocInfo>"
        "<ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>",
        "Doc_0/Document.xml": f"{_XML}<ofd:Document {_OFD}><ofd:CommonData>{models}</ofd:CommonData>"
        f"<ofd:Pages>{listed}</ofd:Pages></ofd:Document>",
    }
    for number, page in enumerate(pages, 1):
        members[f"Doc_0/Pages/Page_{count - number}/Content.xml"] = _layer(page)
    if template:
        members["Doc_0/Tpls/Tpl_0/Content.xml"] = _layer(template)
    if annotations:
        members["Doc_0/Annots/Page_0/Annotation.xml"] = f"{_XML}<ofd:PageAnnot {_OFD}>{annotations}</ofd:PageAnnot>"
    return a_zip(members | dict(extra or {}), compression=0)


def _layer(content: str) -> str:
    return f"{_XML}<ofd:Page {_OFD}><ofd:Content><ofd:Layer>{content}</ofd:Layer></ofd:Content></ofd:Page>"


def der(tag: int, content: bytes) -> bytes:
    """One value of ASN.1 (X.690)."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes(4, "big")
    return bytes([tag, 0x84]) + length + content


def an_epub(
    chapters: Mapping[str, str],
    *,
    spine: Sequence[str] | None = None,
    metadata: str = "",
    encrypted: Mapping[str, str] | None = None,
    extra: Mapping[str, Member] | None = None,
) -> bytes:
    """A book: `chapters` maps names to bodies, `spine` their order, `encrypted` members to algorithms."""
    items = "".join(f'<item id={quoteattr(name)} href={quoteattr(name)} media-type="text/html"/>' for name in chapters)
    order = "".join(f"<itemref idref={quoteattr(name)}/>" for name in (chapters if spine is None else spine))
    members: dict[str, Member] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": f'{_XML}<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>',
        "OPS/book.opf": f"{_XML}<package><metadata>{metadata}</metadata>"
        f"<manifest>{items}</manifest><spine>{order}</spine></package>",
    }
    for name, body in chapters.items():
        members[f"OPS/{name}"] = f"{_XML}<html><head><title>{name}</title></head><body>{body}</body></html>"
    if encrypted:
        data = "".join(
            f'<enc:EncryptedData><enc:EncryptionMethod Algorithm="{algorithm}"/><enc:CipherData>'
            f'<enc:CipherReference URI="{name}"/></enc:CipherData></enc:EncryptedData>'
            for name, algorithm in encrypted.items()
        )
        members["META-INF/encryption.xml"] = f"{_XML}<encryption>{data}</encryption>"
    return a_zip(members | dict(extra or {}), compression=0)
