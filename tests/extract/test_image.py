"""Pictures without the engine: the texts beside the pixels, what hides behind their end, and that nothing looks clean."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dlp.extract.budget import Budget, Unreadable
from dlp.extract.document import Document
from dlp.extract.walk import Piece, walk
from dlp.model import Limits, Part, Why, Zone
from tests.extract.reading import read, text, unread
from tests.helpers.documents import a_pdf, a_zip
from tests.helpers.pictures import (
    a_bmp,
    a_gif,
    a_jpeg,
    a_png,
    a_tiff,
    a_webp,
    an_exif,
    an_icon,
    an_iptc,
    an_xmp,
    boxes,
)

_TAGS = {0x010E: (2, "图像说明DESC\0".encode()), 0x9C9C: (1, "XP备注\0".encode("utf-16-le"))}
_BELOW = {0x9286: (7, b"UNICODE\0" + "用户COMMENT".encode("utf-16-le"))}
_EXIF = an_exif(_TAGS, below=_BELOW)
_HEIF = boxes((b"ftyp", b"heic\0\0\0\0"), (b"meta", b"\0\0\0\0ispe\0\0\0\0" + struct.pack(">II", 40, 20)))
_JP2 = boxes((b"jP  ", b"\r\n\x87\n"), (b"ftyp", b"jp2 \0\0\0\0jp2 "))

MADE: dict[str, Callable[[], bytes]] = {
    "png": lambda: a_png(),
    "jpeg": lambda: a_jpeg(),
    "gif": lambda: a_gif(),
    "tiff": lambda: a_tiff(),
    "webp": lambda: a_webp(),
    "bmp": lambda: a_bmp(),
    "icon": lambda: an_icon([a_png(32, 32)]),
    "heif": lambda: _HEIF,
    "jp2": lambda: _JP2,
}


class _Engine:
    """An engine that sees what it is told to, and keeps the sizes it was shown."""

    def __init__(self, seen: str = "SEEN") -> None:
        self.seen = seen
        self.shapes: list[tuple[int, ...]] = []

    def text(self, pixels: NDArray[np.uint8]) -> str:
        self.shapes.append(pixels.shape)
        return self.seen


def _with(engine: _Engine, data: bytes, *, limits: Limits | None = None) -> list[Piece]:
    return list(walk(Document(data=data), Budget(limits or Limits(), ocr=engine)))


@pytest.mark.parametrize("kind", MADE)
def test_a_picture_without_the_engine_is_told_once(kind: str) -> None:
    budget = Budget(Limits())
    pieces = list(walk(Document(data=MADE[kind]()), budget))
    assert unread(pieces) == [(Why.UNSUPPORTED, ())]
    assert budget.pictures == 1
    assert not text(pieces, Zone.BODY)


def test_png_texts() -> None:
    data = a_png(
        texts={"Comment": "密级PLAIN"},
        packed={"Author": "PACKED"},
        international={"Title": "国际TEXT", "XML:com.adobe.xmp": an_xmp({"subject": "XMPVALUE"}).decode()},
        chunks=[(b"eXIf", _EXIF), (b"prVt", b"PRIVATE CHUNK TEXT")],
    )
    found = text(read(data), Zone.PROPERTY)
    plain = ("Comment: 密级PLAIN", "Author: PACKED", "国际TEXT", "subject: XMPVALUE")
    for expected in (*plain, "图像说明DESC", "XP备注", "用户COMMENT"):
        assert expected in found
    assert "PRIVATE CHUNK TEXT" in text(read(data), Zone.RAW)


def test_a_profile_in_hexadecimal() -> None:
    profile = "\nexif\n    {}\n{}\n".format(len(_EXIF) + 6, (b"Exif\0\0" + _EXIF).hex())
    assert "图像说明DESC" in text(read(a_png(packed={"Raw profile type exif": profile})), Zone.PROPERTY)


def test_jpeg_segments() -> None:
    extended = b"http://ns.adobe.com/xmp/extension/\0" + b"D" * 32 + bytes(8) + an_xmp({"more": "EXTENDED"})
    data = a_jpeg(
        comment="注释COM",
        segments=[
            (0xE1, b"Exif\0\0" + _EXIF),
            (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + an_xmp({"MSIP_Label_1_Name": "LABEL"})),
            (0xE1, extended),
            (0xED, b"Photoshop 3.0\0" + an_iptc({120: "说明CAPTION".encode()})),
            (0xEB, b"APP11 PRIVATE TEXT"),
        ],
    )
    pieces = read(data)
    properties = text(pieces, Zone.PROPERTY)
    for expected in ("图像说明DESC", "用户COMMENT", "MSIP_Label_1_Name: LABEL", "more: EXTENDED", "说明CAPTION"):
        assert expected in properties
    assert "注释COM" in text(pieces, Zone.COMMENT)
    assert "APP11 PRIVATE TEXT" in text(pieces, Zone.RAW)


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_in_both_byte_orders_and_a_thumbnail(order: str) -> None:
    comment = (7, b"UNICODE\0" + "用户COMMENT".encode("utf-16-le"))  # its own order, whatever the file's
    block = an_exif(_TAGS, below={0x9286: comment}, order=order)
    assert "用户COMMENT" in text(read(a_jpeg(segments=[(0xE1, b"Exif\0\0" + block)])))
    thumbnail = a_png(texts={"Comment": "THUMBNAIL"})
    place = len(an_exif({513: (4, bytes(4)), 514: (4, bytes(4))}, order=order))
    tags = {513: (4, struct.pack(order + "I", place)), 514: (4, struct.pack(order + "I", len(thumbnail)))}
    pieces = read(a_jpeg(segments=[(0xE1, b"Exif\0\0" + an_exif(tags, order=order) + thumbnail)]))
    assert "THUMBNAIL" in text(pieces, Zone.PROPERTY, ("thumbnail",))


def test_tiff_fields() -> None:
    data = a_tiff(texts={270: "图像说明".encode("gb18030"), 285: b"PAGENAME", 65000: b"PRIVATE"})
    found = text(read(data), Zone.PROPERTY)
    for expected in ("ImageDescription: 图像说明", "PageName: PAGENAME", "Tag65000: PRIVATE"):
        assert expected in found


def test_gif_comments_and_extensions() -> None:
    pieces = read(a_gif(comment="注释GIF".encode() * 60, application=b"APPLICATION TEXT"))
    assert "注释GIF" * 60 in text(pieces, Zone.COMMENT)
    assert "APPLICATION TEXT" in text(pieces, Zone.RAW)


def test_webp_chunks() -> None:
    pieces = read(a_webp(chunks=[(b"EXIF", _EXIF), (b"XMP ", an_xmp({"subject": "XMPVALUE"})), (b"note", b"PRIVATE CHUNK")]))
    assert "图像说明DESC" in text(pieces, Zone.PROPERTY)
    assert "subject: XMPVALUE" in text(pieces, Zone.PROPERTY)
    assert "PRIVATE CHUNK" in text(pieces, Zone.RAW)


def test_boxes() -> None:
    uuid = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
    packet = uuid + an_xmp({"subject": "XMPVALUE"})
    data = _HEIF + boxes((b"uuid", packet), (b"mdat", b"Exif\0\0" + _EXIF), (b"free", b"FREE BOX TEXT"))
    pieces = read(data)
    for expected in ("图像说明DESC", "subject: XMPVALUE"):
        assert expected in text(pieces, Zone.PROPERTY)
    assert "FREE BOX TEXT" in text(pieces, Zone.RAW)


def test_an_icon_gives_the_texts_of_its_pictures() -> None:
    assert "ICONTEXT" in text(read(an_icon([a_png(32, 32, texts={"Comment": "ICONTEXT"})])), Zone.PROPERTY)


@pytest.mark.parametrize("kind", [kind for kind in MADE if kind not in {"heif", "jp2"}])
def test_what_stands_behind_the_end_is_a_document(kind: str) -> None:
    appended = read(MADE[kind]() + a_zip({"q3.txt": "APPENDED 机密"}))
    assert "APPENDED 机密" in text(appended, Zone.BODY, ("after the picture", "q3.txt"))
    padded = read(MADE[kind]() + "\0\0short 密码 note\n\n".encode())
    assert "short 密码 note" in text(padded, Zone.RAW)
    assert unread(padded) == [(Why.UNSUPPORTED, ())]


def test_other_files_inside_a_picture_are_documents() -> None:
    archive = a_zip({"q3.txt": "POLYGLOT"})
    assert "POLYGLOT" in text(read(a_jpeg(segments=[(0xFE, archive)])), Zone.BODY, ("inside the picture", "q3.txt"))
    assert "PDFINSIDE" in text(read(a_gif(comment=a_pdf(["PDFINSIDE"]))), Zone.BODY, ("inside the picture",))


@pytest.mark.parametrize("size", [(9, 400), (400, 9), (1, 1)])
def test_a_picture_too_small_for_text_is_read(size: tuple[int, int]) -> None:
    engine = _Engine()
    for data in (a_png(*size), a_gif(*size), a_bmp(*size), a_tiff(*size), a_webp(*size)):
        assert unread(read(data)) == []
        assert unread(_with(engine, data)) == []
    assert engine.shapes == []


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp", "bmp", "tiff", "icon"])
def test_a_picture_cut_off_is_never_clean(kind: str) -> None:
    data = MADE[kind]()
    for end in range(len(data) // 4, len(data) - 1, max(len(data) // 7, 1)):
        assert unread(read(data[:end])), end


def test_a_small_picture_cut_off_is_corrupt() -> None:
    assert unread(read(a_png(8, 8)[:-20])) == [(Why.CORRUPT, ())]


def test_an_unknown_kind_is_told_and_salvaged() -> None:
    pieces = read(b"8BPS\0\1" + bytes(6) + b"\0\3\0\0\0\x10\0\0\0\x10\0\x08\0\3" + b"LAYER TEXT " * 20)
    assert unread(pieces) == [(Why.UNSUPPORTED, ())]
    assert "LAYER TEXT" in text(pieces, Zone.RAW)


def test_a_directory_that_refers_to_itself_ends() -> None:
    data = bytearray(an_exif(_TAGS))
    data[10 + 12 * len(_TAGS) : 14 + 12 * len(_TAGS)] = struct.pack("<I", 8)
    assert "图像说明DESC" in text(read(bytes(data)), Zone.PROPERTY)


@given(st.sampled_from(sorted(MADE)), st.binary(max_size=8), st.integers(0, 300), st.integers(0, 40))
def test_damage_is_no_crash(kind: str, patch: bytes, at: int, cut: int) -> None:
    data = MADE[kind]()
    data = data[:at] + patch + data[at + len(patch) : max(at, len(data) - cut)]
    assert Why.CRASHED not in [why for why, _ in unread(read(data))]


class TestSeen:
    """With an engine, and so with the library that decodes: skipped where the extra is not installed."""

    @pytest.fixture(autouse=True)
    def _decoder(self) -> None:
        pytest.importorskip("PIL", reason="the extra `ocr` is not installed")

    def test_what_the_engine_sees_is_the_body(self) -> None:
        rows = bytes(range(200)) * 20
        for data in (a_png(200, 20, gray=rows), a_bmp(20, 20)[:-60] + bytes(60)):
            parts = [piece for piece in _with(_Engine(), data) if isinstance(piece, Part) and piece.zone is Zone.BODY]
            assert [(part.text, part.page, part.start) for part in parts] == [("SEEN", 1, True)]

    def test_a_picture_of_one_colour_is_read_without_the_engine(self) -> None:
        engine = _Engine()
        assert unread(_with(engine, a_png())) == []
        assert engine.shapes == []

    def test_a_large_picture_is_shown_in_tiles(self) -> None:
        engine = _Engine()
        pieces = _with(engine, a_png(4000, 400, gray=bytes(range(250)) * 16 * 400))
        assert len(engine.shapes) == 3
        assert all(max(shape) <= 1_800 for shape in engine.shapes)
        assert unread(pieces) == []

    def test_a_bomb_is_told_before_it_is_decoded(self) -> None:
        engine = _Engine()
        bomb = a_png(100_000, 100_000, gray=b"")
        assert unread(_with(engine, bomb)) == [(Why.TOO_LARGE, ())]
        assert engine.shapes == []

    def test_what_cannot_be_decoded_is_told(self) -> None:
        for data in (_HEIF, a_jpeg()):
            assert [why for why, _ in unread(_with(_Engine(), data))] in ([Why.UNSUPPORTED], [Why.CORRUPT])

    def test_a_picture_cut_off_is_read_as_far_as_it_goes(self) -> None:
        whole = a_png(200, 200, gray=bytes(np.random.default_rng(1).integers(0, 255, 40_000, dtype=np.uint8)))
        pieces = _with(_Engine(), whole[: len(whole) // 2])
        assert text(pieces, Zone.BODY) == "SEEN"
        assert unread(pieces) == [(Why.CORRUPT, ())]

    def test_the_engine_that_fails_costs_its_picture_only(self) -> None:
        class Failing(_Engine):
            def text(self, pixels: NDArray[np.uint8]) -> str:
                raise Unreadable(Why.CRASHED, "failed")

        data = a_zip({"a.png": a_png(200, 20, gray=bytes(range(200)) * 20), "b.txt": "AFTERWARDS"})
        pieces = _with(Failing(), data)
        assert unread(pieces) == [(Why.CRASHED, ("a.png",))]
        assert "AFTERWARDS" in text(pieces)

    def test_every_different_frame_is_shown_once(self) -> None:
        import io

        from PIL import Image

        frames = [Image.new("L", (40, 20), 255 - 40 * number) for number in range(3)]
        for number, frame in enumerate(frames):
            frame.putpixel((number, 5), 0)
        out = io.BytesIO()
        frames[0].save(out, "TIFF", save_all=True, append_images=[*frames[1:], frames[0]])
        engine = _Engine()
        pages = [piece.page for piece in _with(engine, out.getvalue()) if isinstance(piece, Part) and piece.zone is Zone.BODY]
        assert pages == [1, 2, 3]

    @pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16", "F", "YCbCr", "LAB"])
    def test_every_kind_of_pixels_is_shown_in_colour(self, mode: str) -> None:
        import io

        from PIL import Image

        out = io.BytesIO()
        grey = Image.fromarray(np.tile(np.arange(0, 240, 4, dtype=np.uint8), (30, 1)))
        made = Image.new("LAB", (60, 30)) if mode == "LAB" else grey.convert(mode)
        if mode == "LAB":
            made.putpixel((3, 3), (200, 0, 0))
        made.save(out, "TIFF")
        engine = _Engine()
        pieces = _with(engine, out.getvalue())
        assert engine.shapes == [(30, 60, 3)] or unread(pieces) == [(Why.UNSUPPORTED, ())]

    def test_white_on_transparent_and_hidden_colours_are_shown(self) -> None:
        import io

        from PIL import Image

        shown: list[int] = []

        class Looking(_Engine):
            def text(self, pixels: NDArray[np.uint8]) -> str:
                shown.append(int(pixels.min()))
                return ""

        letters = Image.new("L", (40, 20), 0)
        letters.putpixel((20, 10), 255)
        white = Image.merge("RGBA", [*[Image.new("L", (40, 20), 255)] * 3, letters])
        hidden = Image.merge("RGBA", [letters, letters, letters, Image.new("L", (40, 20), 0)])
        for picture, expected in ((white, 0), (hidden, 0)):
            out = io.BytesIO()
            picture.save(out, "PNG")
            shown.clear()
            _with(Looking(), out.getvalue())
            assert shown == [expected]
