from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract import ofd
from dlp.extract.asn1 import values
from dlp.model import Why, Zone
from tests.extract.reading import Found, alone, body, inside, said, why
from tests.helpers.books import a_text, an_ofd, der

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 200


def read(data: bytes) -> Found:
    """What this format yields, the documents inside unread."""
    return alone(ofd.FORMAT, data)


def test_pages_are_read_in_their_order() -> None:
    found = read(an_ofd([a_text("第一页"), a_text("second"), a_text("third")]))
    assert [(part.text, part.page, part.start) for part in body(found)] == [
        ("第一页", 1, True),
        ("second", 2, False),
        ("third", 3, False),
    ]
    assert not why(found)


def test_what_stands_on_a_line_is_joined() -> None:
    letters = "".join(a_text(char, 10 + 5 * number) for number, char in enumerate("绝密文件"))
    far = a_text("far", 80) + a_text("below", 10, 30)
    (page,) = body(read(an_ofd([letters + far])))
    assert page.text == "绝密文件\tfar\nbelow"
    code = '<ofd:TextCode X="0" Y="5" DeltaX="g 2 5">abc</ofd:TextCode>'
    repeated = f'<ofd:TextObject Boundary="0 0 9 9" Size="5">{code}</ofd:TextObject>'
    (page,) = body(read(an_ofd([repeated + a_text("d", 15, 0)])))
    assert page.text == "abcd"


def test_every_place_is_read_in_its_zone() -> None:
    information = (
        "<ofd:Title>TITLE1</ofd:Title><ofd:CustomDatas><ofd:CustomData Name='密级'>TOP</ofd:CustomData></ofd:CustomDatas>"
    )
    mark = f'<ofd:Annot Type="Watermark"><ofd:Appearance>{a_text("MARK1")}</ofd:Appearance></ofd:Annot>'
    note = f'<ofd:Annot Type="Highlight"><ofd:Remark>REMARK1</ofd:Remark>{a_text("NOTE1")}</ofd:Annot>'
    extra = {
        "Doc_0/Attachs/Attachments.xml": '<ofd:Attachments><ofd:Attachment Name="ATTACHED1"/></ofd:Attachments>',
        "Doc_0/Attachs/plan.txt": "attached",
        "Doc_0/Tags/CustomTag.xml": "<x:tag>TAGGED1</x:tag>",
        "Doc_0/Res/a.png": PNG,
    }
    page = a_text("SHOWN") + a_text("UNSEEN1", attributes='Visible="false"')
    found = read(an_ofd([page], template=a_text("MODEL1"), information=information, annotations=mark + note, extra=extra))
    assert "UNSEEN1" in said(found, Zone.HIDDEN)
    assert "MODEL1" in said(found, Zone.HEADER)
    assert "TITLE1" in said(found, Zone.PROPERTY)
    assert "密级: TOP" in said(found, Zone.PROPERTY)
    assert "MARK1" in said(found, Zone.WATERMARK)
    assert "REMARK1" in said(found, Zone.COMMENT)
    assert "NOTE1" in said(found, Zone.COMMENT)
    assert "ATTACHED1" in said(found, Zone.HIDDEN)
    assert "TAGGED1" in said(found, Zone.PROPERTY)
    assert [document.name for document in inside(found)] == ["plan.txt", "a.png"]


def test_a_seal_gives_its_names_and_its_picture() -> None:
    seal = der(0x30, der(0x0C, "某某局公章".encode()) + der(0x04, der(0x30, der(0x16, b"ES") + der(0x04, PNG))))
    found = read(an_ofd(extra={"Doc_0/Signs/Sign_0/Seal.esl": seal}))
    assert "某某局公章" in said(found, Zone.PROPERTY)
    assert [bytes(document.data) for document in inside(found)] == [PNG]


def test_a_page_that_nothing_lists_is_read() -> None:
    hidden = a_text("UNLISTED1")
    found = read(an_ofd(extra={"Doc_0/Pages/Page_7/Content.xml": f"<ofd:Page>{hidden}</ofd:Page>"}))
    assert "UNLISTED1" in said(found, Zone.BODY)


def test_encryption_and_damage_are_told() -> None:
    assert why(read(an_ofd(extra={"Encryptions.xml": "<ofd:Encryptions/>"}))) == [Why.ENCRYPTED]
    whole = an_ofd([a_text("FIRST") + a_text("x" * 500)])
    at = whole.index(b"FIRST") + 200
    found = read(whole[:at] + b"?" + whole[at + 1 :])
    assert "FIRST" in said(found, Zone.BODY)
    assert Why.CORRUPT in why(found)


def test_der_as_deep_as_it_likes_is_no_recursion() -> None:
    data = b"INNER"
    for _ in range(2_000):
        data = der(0x30, data)
    assert len(list(values(data))) <= 2_001
    assert list(values(b"\x30\x84\xff\xff\xff\xff")) == []


TOKENS = (
    *("<ofd:TextObject ", 'Boundary="x 1 nan">', "</ofd:TextObject>", '<ofd:TextCode X="inf" DeltaX="g g 1">', "text", ">", "<"),
    *("&#0;", '<ofd:Page BaseLoc="../../x"/>', "<ofd:Annot>", "</ofd:Annot>", "<!"),
)


@given(st.lists(st.sampled_from(TOKENS)), st.binary(max_size=200))
def test_any_markup_is_read_without_a_fault(tokens: list[str], seal: bytes) -> None:
    read(an_ofd(["".join(tokens)], information="".join(tokens), extra={"Doc_0/Signs/a.esl": b"\x30" + seal}))


def test_what_stands_before_the_package_is_read() -> None:
    found = read(b"SMUGGLED WORDS IN FRONT " + an_ofd())
    assert "SMUGGLED WORDS" in said(found) or b"SMUGGLED WORDS" in b"".join(bytes(inner.data) for inner in inside(found))


@pytest.mark.corpus
def test_real_documents_are_read(corpus: Path) -> None:
    found = read((corpus / "ofdrw+ofdrw/ofdrw-converter/src/test/resources/n.ofd").read_bytes())
    assert body(found)[0].text.startswith("测试符路桥区卫生局文件\n")
    assert [document.media_type for document in inside(found)] == ["image/png", "image/png"]
    for path in sorted(corpus.rglob("*.ofd")):
        assert body(read(path.read_bytes())), path.name
