import struct
from pathlib import Path

import pytest
from hypothesis import given

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.passwords import OPENED
from dlp.extract.walk import walk
from dlp.model import Limits, Why, Zone
from tests.extract.damage import damaged, streams
from tests.extract.reading import parts, read, text, unread
from tests.helpers.compound import a_compound
from tests.helpers.documents import a_docx, a_zip
from tests.helpers.legacy import (
    PNG,
    a_blip,
    a_metafile,
    a_ppt,
    a_property_set,
    a_record,
    a_shape_options,
    a_textbox,
    a_vba_project,
)

_TITLE, _BODY = 0, 1
_FOOTER = 0x09


def test_every_place_is_read_in_its_zone() -> None:
    pieces = read(
        a_ppt(
            [[(_TITLE, "标题 TITLE1"), (_BODY, "机密★10年\rBODY1")], [(_TITLE, "TITLE2"), (_BODY, "BODY2")]],
            slides={
                1: [
                    a_textbox("BOX1 文本框"),
                    a_textbox("SLIDEFOOTER1", placeholder=_FOOTER),
                    a_shape_options(description="说明 ALT1"),
                ],
                2: [a_textbox("BOX2")],
            },
            notes={2: "NOTES2 备注"},
            master=[a_textbox("MASTER1")],
            header="HEADER1",
            footer="FOOTER1",
            comment="COMMENT1 批注",
            link="http://x/LINK1",
        ),
        "a.ppt",
    )
    assert [(part.page, part.start) for part in parts(pieces)] == [(1, True), (2, False)]
    first, second = parts(pieces)
    assert first.text == "机密★10年\nBODY1\nBOX1 文本框\n"
    assert second.text == "BODY2\nBOX2\n"
    assert [(part.page, part.text) for part in parts(pieces, Zone.TITLE)] == [(1, "标题 TITLE1\n"), (2, "TITLE2\n")]
    assert [(part.page, part.text) for part in parts(pieces, Zone.NOTE)] == [(2, "NOTES2 备注\n")]
    expected = {
        Zone.HEADER: ["MASTER1", "HEADER1"],
        Zone.FOOTER: ["FOOTER1", "SLIDEFOOTER1"],
        Zone.COMMENT: ["COMMENT1 批注", "AUTHOR"],
        Zone.HIDDEN: ["http://x/LINK1", "说明 ALT1"],
    }
    for zone, strings in expected.items():
        for string in strings:
            assert string in text(pieces, zone), (zone, string)
    assert not unread(pieces)


def test_a_slide_that_an_earlier_save_left_is_hidden() -> None:
    pieces = read(a_ppt([[(_BODY, "NEW1")]], old_slide="OLD1 旧版"))
    assert "OLD1 旧版" in text(pieces, Zone.HIDDEN)
    assert "OLD1" not in text(pieces, Zone.BODY)


def test_objects_pictures_packages_and_sounds_are_documents() -> None:
    package = a_zip({"[Content_Types].xml": "<Types/>", "drs/slideLayouts/slideLayout1.xml": "<a:t>LAYOUT1</a:t>"})
    pieces = read(
        a_ppt(
            [[(_BODY, "x")]],
            slides={1: [a_record(0x041E, package), a_record(0x07E7, b"RIFF" + bytes(40))]},
            embedded=a_docx(["EMBEDDED1"]),
            pictures=a_blip(PNG) + a_metafile(b"m" * 90),
        )
    )
    assert "EMBEDDED1" in text(pieces, Zone.BODY, ("object",))
    assert "LAYOUT1" in text(pieces)
    assert {("picture",), ("sound",)} <= {piece.trail for piece in pieces}


def test_macros_in_an_object_and_properties_are_read() -> None:
    project = a_compound(a_vba_project("' MACRO1 宏", under=()))
    extra = {("\5SummaryInformation",): a_property_set({2: "标题 PROPERTY1"}, code_page=936, encoding="gb18030")}
    pieces = read(a_ppt([[(_BODY, "x")]], embedded=project, extra=extra))
    assert "MACRO1 宏" in text(pieces, Zone.HIDDEN)
    assert "Title: 标题 PROPERTY1" in text(pieces, Zone.PROPERTY)


def test_an_encrypted_presentation_is_told() -> None:
    pieces = read(a_ppt([[(_BODY, "x")]], token=0xF3D1C4DF))
    assert unread(pieces) == [(Why.ENCRYPTED, ())]


def test_a_record_ends_with_the_container_that_it_is_in() -> None:
    lying = struct.pack("<HHI", 0, 0x0FA8, 1 << 30) + b"INSIDE1"
    pieces = read(a_ppt([[(_BODY, "x")]], slides={1: [a_record(0xF004, [lying]), a_textbox("AFTER1")]}))
    assert "INSIDE1" in text(pieces, Zone.BODY)
    assert "AFTER1" in text(pieces, Zone.BODY)


def test_a_presentation_cut_short_is_told_and_read() -> None:
    held = streams(a_ppt([[(_BODY, "FIRST1")]], notes={1: "n" * 3000}))
    cut = {**held, ("PowerPoint Document",): held["PowerPoint Document",][:-1000]}
    pieces = read(a_compound(cut))
    assert "FIRST1" in text(pieces)
    assert (Why.CORRUPT, ()) in unread(pieces)


def test_containers_in_each_other_without_end_are_read() -> None:
    record = a_textbox("DEEP1")
    for _ in range(3000):
        record = a_record(0xF003, [record])
    assert "DEEP1" in text(read(a_ppt([[(_BODY, "x")]], slides={1: [record]})), Zone.BODY)


_SEED = a_ppt(
    [[(_TITLE, "t"), (_BODY, "机密")]],
    slides={1: [a_textbox("b", placeholder=_FOOTER), a_shape_options(description="d", link="http://x/long")]},
    notes={1: "n"},
    header="h",
    comment="c",
    pictures=a_blip(PNG) + a_metafile(b"x" * 90),
    embedded=b"e" * 50,
)


@given(damaged(streams(_SEED), [("PowerPoint Document",), ("Current User",), ("Pictures",)]))
def test_damage_anywhere_never_fails(content: bytes) -> None:
    pieces = read(content, limits=Limits(bytes=1 << 20, expanded_bytes=8 << 20))
    assert Why.CRASHED not in [why for why, _ in unread(pieces)]


@pytest.mark.corpus
def test_real_presentations_are_read_or_told(corpus: Path) -> None:
    for path in sorted(corpus.rglob("*.ppt")):
        pieces = read(path.read_bytes(), path.name)
        assert Why.CRASHED not in [why for why, _ in unread(pieces)], path.name
        assert (text(pieces, Zone.BODY) + text(pieces, Zone.TITLE)).strip() or unread(pieces), path.name


@pytest.mark.corpus
def test_a_real_encrypted_presentation_is_told_or_opened(corpus: Path) -> None:
    (path,) = corpus.rglob("testPPT_protected_passtika.ppt")
    data = path.read_bytes()
    assert (Why.ENCRYPTED, ()) in unread(read(data))
    opened = list(walk(Document(data=data), Budget(Limits(), passwords=["tika"])))
    assert (Why.ENCRYPTED, ()) not in unread(opened)
    assert text(opened, Zone.TITLE, (OPENED,)) or text(opened, Zone.BODY, (OPENED,))


@pytest.mark.corpus
def test_every_place_that_a_conversion_kept_is_read(corpus: Path) -> None:
    for name in ("lo_pptx.ppt", "lo_pptx.dps"):
        pieces = read((corpus / "synth" / "canary" / name).read_bytes(), name)
        for zone, places in {
            Zone.TITLE: ("TITLE", "HIDDENSLIDE"),
            Zone.BODY: ("TEXTBOX", "TABLE", "GROUPSHAPE", "OFFSLIDE", "CHARTCATEGORY"),
            Zone.NOTE: ("NOTES",),
            Zone.COMMENT: ("COMMENT",),
            Zone.PROPERTY: ("CORESUBJECT", "CUSTOMPROPLABEL", "HYPERLINKTARGET"),
        }.items():
            for place in places:
                assert f"CNPPTX{place}秘密" in text(pieces, zone), (name, place)
