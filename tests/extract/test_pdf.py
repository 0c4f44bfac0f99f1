import pytest

from dlp.model import Why, Zone
from tests.extract.reading import parts, read, text, unread
from tests.helpers.documents import a_docx, a_pdf


def test_every_place_is_read_in_its_zone() -> None:
    data = a_pdf(
        ["第一页正文\nline two", "second page"],
        header="机密★10年",
        footer="FOOTER1",
        properties={"Title": "标题", "MSIP_Label_1_Name": "LABEL1"},
        annotation="注释一",
        uri="http://x/LINK1",
        attachments={"a.docx": a_docx(["ATTACHED1"])},
    )
    pieces = read(data, "a.pdf")
    body = [part for part in parts(pieces) if part.trail == ()]
    assert [(part.page, part.start) for part in body] == [(1, True), (2, False)]
    assert "第一页正文\nline two" in body[0].text
    assert "second page" in body[1].text
    assert [(part.text.strip(), part.page) for part in parts(pieces, Zone.HEADER)] == [("机密★10年", 1), ("机密★10年", 2)]
    assert [part.text.strip() for part in parts(pieces, Zone.FOOTER)] == ["FOOTER1", "FOOTER1"]
    for expected in ("注释一", "http://x/LINK1"):
        assert expected in text(pieces, Zone.COMMENT)
    for expected in ("标题", "MSIP_Label_1_Name: LABEL1"):
        assert expected in text(pieces, Zone.PROPERTY)
    assert "ATTACHED1" in text(pieces, Zone.BODY, ("a.docx",))
    assert not unread(pieces)


def test_a_page_that_is_an_image_is_told() -> None:
    pieces = read(a_pdf(["first", None]), "scan.pdf")
    assert unread(pieces) == [(Why.UNSUPPORTED, ())]
    assert "page 2 is an image" in [getattr(piece, "detail", "") for piece in pieces]


def test_a_damaged_or_missing_cross_reference_table_does_not_matter() -> None:
    data = a_pdf(["SECRET TEXT"])
    cut = read(data[: data.index(b"xref")])
    assert unread(cut) == [(Why.CORRUPT, ())]
    assert "SECRET TEXT" in text(cut, Zone.BODY)
    assert "SECRET TEXT" in text(read(data.replace(b"\nstartxref\n", b"\nstartxref\n9")), Zone.BODY)


def test_a_password_is_told() -> None:
    encrypt = (
        b"/Encrypt << /Filter /Standard /V 1 /R 2 /Length 40 /P -4 "
        b"/O <" + b"00" * 32 + b"> /U <" + b"11" * 32 + b"> >> /ID [<00> <00>] /Info"
    )
    assert unread(read(a_pdf(["SECRET TEXT"]).replace(b"/Info", encrypt))) == [(Why.ENCRYPTED, ())]


@pytest.mark.parametrize("data", [b"%PDF-1.7\nSALVAGED TEXT", b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\nSALVAGED TEXT"])
def test_what_is_no_document_is_told_and_salvaged(data: bytes) -> None:
    pieces = read(data)
    assert Why.CORRUPT in [why for why, _ in unread(pieces)]
    assert "SALVAGED TEXT" in text(pieces)
