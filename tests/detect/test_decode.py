"""What stands encoded is found where it stands, whatever hides it; nothing is lost, and no text makes it raise or swell."""

import base64
import html
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.detect import decode_runs, decode_text
from dlp.detect.decode import Decoder
from dlp.detect.decode_text import DECODERS, Encoding
from dlp.detect.detector import Detector
from dlp.detect.signatures import Lane
from dlp.detect.views import TextView
from dlp.model import Finding, Part, Unscannable, Why, Zone

ROOT = Path(__file__).parents[2]
MARK = "绝密★10年"
BODY = "\n\n关于下半年办公用品采购的通知\n各单位请于本月底前报送清单。\n"

PROSE = st.text(alphabet="机密文件采购清单的一二三，。 abcXYZ09\n", min_size=6, max_size=200).filter(
    lambda text: len(text.strip()) > 4 and any(letter >= "\u4e00" for letter in text)
)
"""Texts as people write them."""
SCRAPS = (
    *(
        "机",
        "密★",
        "一一零",
        "1 1 0 1 0 5",
        "T O P",
        "%E6%9C",
        "%",
        "\\u673a",
        "\\",
        "\\x",
        "&#26426;",
        "&amp;#",
        "&star;",
        "=E6=9C",
        "=",
    ),
    *(
        "==",
        "0x",
        "e6 9c ba e5",
        "\u202e",
        "\u202d",
        "\u202c",
        "密机",
        "terces",
        "\n",
        "\t",
        " ",
        "·",
        "5py65a+G",
        "u/rD3A==",
        "\U0001f600",
    ),
    *(
        "MTEwMTA1MTk0OTEyMzEwMDJY",
        "Y29uZmlkZW50aWFsCg",
        "e69cbae5af86",
        "\ud800",
        "\x00",
        "/",
        "-",
        "_",
        "Q" * 80 + "\n",
        "A",
        "0",
        "'",
    ),
)
"""Pieces that a text can be made of to confuse decoders."""
HOSTILE = st.lists(st.sampled_from(SCRAPS), max_size=60).map("".join)


def each(form: str) -> Callable[[str], str]:
    return lambda text: "".join(form.format(ord(letter)) for letter in text)


def of_bytes(form: str, encoding: str = "utf-8") -> Callable[[str], str]:
    return lambda text: "".join(form.format(byte) for byte in text.encode(encoding))


WRITTEN: dict[str, tuple[Encoding, Callable[[str], str]]] = {
    "base64": (Encoding.BASE64, lambda text: base64.b64encode(text.encode()).decode()),
    "base64, URL": (Encoding.BASE64, lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")),
    "base64, wrapped": (Encoding.BASE64, lambda text: base64.encodebytes(text.encode()).decode()),
    "base64, UTF-16": (Encoding.BASE64, lambda text: base64.b64encode(text.encode("utf-16")).decode()),
    "hex": (Encoding.HEX, lambda text: text.encode().hex()),
    "hex, spaced": (Encoding.HEX, lambda text: text.encode().hex(" ").upper()),
    "0x": (Encoding.HEX, of_bytes("0x{:02x}, ")),
    "percent": (Encoding.PERCENT, of_bytes("%{:02X}")),
    "percent, UTF-16": (Encoding.PERCENT, each("%u{:04X}")),
    "\\x": (Encoding.ESCAPES, of_bytes("\\x{:02x}")),
    "octal": (Encoding.ESCAPES, of_bytes("\\{:03o}")),
    "\\u": (Encoding.ESCAPES, each("\\u{:04x}")),
    "\\u{}": (Encoding.ESCAPES, each("\\u{{{:x}}}")),
    "\\U": (Encoding.ESCAPES, each("\\U{:08x}")),
    "quoted-printable": (Encoding.QUOTED_PRINTABLE, of_bytes("={:02X}")),
    "decimal entities": (Encoding.ENTITIES, each("&#{};")),
    "hexadecimal entities": (Encoding.ENTITIES, each("&#x{:X};")),
    "entities escaped again": (Encoding.ENTITIES, lambda text: html.escape(each("&#{};")(text))),
    "back to front": (Encoding.TURNED, lambda text: "\n".join(line[::-1] for line in text.split("\n"))),
    "overridden": (Encoding.BIDI, lambda text: f"\u202e{text[::-1]}\u202c"),
}


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load([ROOT / "signatures"])


def found(detector: Detector, text: str, zone: Zone = Zone.BODY, *, start: bool = True) -> list[Finding]:
    scan = detector.begin()
    scan.add(Part(text=text, zone=zone, start=start))
    return [one for one in scan.finish() if isinstance(one, Finding)]


def decoded(text: str) -> list[str]:
    view = TextView()
    view.add(Part(text=text))
    return [part.text for part, _ in Decoder(len(text)).decoded(view).folded]


@pytest.mark.parametrize("way", WRITTEN)
@given(text=PROSE)
def test_what_was_encoded_is_read_again(way: str, text: str) -> None:
    encoding, write = WRITTEN[way]
    assert DECODERS[encoding](write(text)) == text


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
def test_bytes_are_read_in_the_encodings_of_chinese(encoding: str) -> None:
    assert decode_text.text_of((MARK + BODY).encode(encoding)) == MARK + BODY


@given(st.binary(min_size=32, max_size=64))
def test_random_bytes_are_hardly_ever_a_text(data: bytes) -> None:
    text = decode_text.text_of(data)
    assert text is None or not decode_text._ODD.search(text)


@pytest.mark.parametrize("way", [way for way in WRITTEN if way not in {"back to front", "overridden"}])
def test_an_encoded_document_is_asked_where_it_stands(detector: Detector, way: str) -> None:
    text = "附件如下\n\n" + WRITTEN[way][1](MARK + BODY)
    findings = found(detector, text)
    assert ("state_secret_marking", "top-secret") in [(one.signature, one.level) for one in findings]
    assert findings[0].offset == text.index("\n\n") + 2


@pytest.mark.parametrize("way", WRITTEN)
def test_an_encoded_value_is_judged_by_the_words_beside_it(detector: Detector, way: str) -> None:
    number = "13912345678" if way != "back to front" else "手机号：13912345678"
    assert [one.signature for one in found(detector, f"手机 {WRITTEN[way][1](number)}\n")] == ["cn_mobile"]
    assert found(detector, f"订单 {WRITTEN[way][1]('23912345678')}\n") == []


@pytest.mark.parametrize("outer", [way for way in WRITTEN if way != "back to front"])  # what it turns is no words
@pytest.mark.parametrize("inner", ["base64", "hex", "percent", "\\u", "decimal entities"])
def test_two_encodings_inside_each_other_are_undone(detector: Detector, inner: str, outer: str) -> None:
    findings = found(detector, WRITTEN[outer][1](WRITTEN[inner][1](MARK + BODY)))
    assert "state_secret_marking" in [one.signature for one in findings]


def test_three_are_not(detector: Detector) -> None:
    text = MARK + BODY
    for _ in range(3):
        text = base64.b64encode(text.encode()).decode()
    assert found(detector, text) == []


def test_a_place_keeps_its_zone_and_the_offset_is_the_run_s(detector: Detector) -> None:
    text = f"第一行\n{base64.b64encode(MARK.encode()).decode()}"
    finding = found(detector, text, Zone.HEADER, start=False)[0]
    assert (finding.zone, finding.offset) == (Zone.HEADER, 4)
    names = found(detector, f"{quote('采购方案（机密）')}.docx", Zone.FILENAME, start=False)
    assert {(one.signature, one.zone) for one in names} == {("classification_banner", Zone.FILENAME)}


def test_a_mark_far_down_is_not_at_the_top_for_being_decoded(detector: Detector) -> None:
    below = "本页说明办公用品的领取。\n" * 200 + "字样 &#26426;&#23494; 见上\n" + "另行通知。\n" * 50
    assert found(detector, below) == []


@pytest.mark.parametrize(
    "text",
    [
        "本单位采用加密机制保护数据，飞机手册另发。",
        "我司公告：全国中小企业产品展。",
        "def confidential_client(): return b64decode('c2hvcA==') == 1",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "a b c d e f g h i j k, 1 2 3 4 5 6 7 8 9 10 11 12",
        "二〇二四年一月一日，一九四九年十月一日",
        "https://example.com/?q=%E9%87%87%E8%B4%AD&id=110105194912310021",
        "data:image/png;base64," + base64.b64encode(bytes(range(256)) * 8).decode(),
    ],
)
def test_ordinary_text_is_no_finding(detector: Detector, text: str) -> None:
    assert found(detector, text) == []


@given(HOSTILE)
def test_any_text_is_taken_and_none_swells(text: str) -> None:
    pieces = decoded(text)
    assert sum(map(len, pieces)) <= 8 * len(text) + (1 << 16)


@given(HOSTILE, st.sampled_from([f"{MARK}\n采购方案\n", "身份证 320102198504123418\n", "TOP SECRET\n\nplan\n"]))
def test_no_finding_is_lost_by_decoding(detector: Detector, text: str, secret: str) -> None:
    scan = detector.begin()
    whole = secret + text
    scan._texts.add(Part(text=whole, start=True))
    plain = {(one.signature, one.judgement.level) for one in scan._ask(Lane.TEXT, scan._texts, ())}
    both = {(one.signature, one.level) for one in found(detector, whole)}
    assert {(signature.name, level or signature.level) for signature, level in plain} <= both


@pytest.mark.parametrize(
    "unit",
    [
        "%E6",
        "\\u673a",
        "&#26426;",
        "=E6=9C",
        "e6 9c ",
        "5py65a+G\n",
        "1 ",
        "密机\n",
        "一零",
        "机 密 ",
        "\u202e密",
        "A9" * 40 + "\n",
    ],
)
def test_a_text_of_nothing_else_is_decoded_in_linear_time(unit: str) -> None:
    def seconds(times: int) -> float:
        text = unit * times
        view = TextView()
        view.add(Part(text=text))
        view.data  # noqa: B018
        start = time.process_time()
        Decoder(len(text)).decoded(view)
        return time.process_time() - start

    seconds(100)
    short, long = seconds(4_000), seconds(16_000)
    assert long < 12 * short + 0.2


def test_too_much_decoded_text_is_said(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlp.detect.decode._LEAST", 0)
    monkeypatch.setattr("dlp.detect.decode._TIMES", 0)
    scan = detector.begin()
    scan.add(Part(text="&#26426;&#23494;"))
    assert [one.why for one in scan.finish() if isinstance(one, Unscannable)] == [Why.TOO_LARGE]


@given(st.text(alphabet="一二三零〇机密 -x12", max_size=80))
def test_runs_of_numerals_lie_in_the_text(text: str) -> None:
    for start, end in decode_runs.numerals(text):
        assert 0 <= start < end <= len(text)
        assert sum(letter in decode_text.NUMERALS for letter in text[start:end]) >= 8
