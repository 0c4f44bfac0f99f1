"""Folding: what becomes what, and that every folded character knows where it stood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.detect.han import RADICALS, SIMPLIFIED
from dlp.detect.normalise import fold, folded_words

ALPHABET = "机機密秘★10年aAéß ﬁ½㎏аеЕсрω\u200b\u202e\u0301\ufe0f\n\t .-·*/、，：Ｘ９①\x00\ud800𝒜😀⻝"


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("機 密", "机密"),
        ("絕密★啟用前", "绝密★启用前"),
        ("财·务_报\n表", "财务报表"),
        ("财\t务", "财务"),
        ("机*密", "机密"),
        ("绝密/机密/秘密", "绝密/机密/秘密"),
        ("秘密*三年", "秘密*三年"),
        ("机\n\n密", "机\n\n密"),
        ("机" + " " * 17 + "密", "机" + " " * 17 + "密"),
        ("top secret", "top secret"),
        ("ＣＯＮＦＩＤＥＮＴＩＡＬ", "confidential"),
        ("Соnfidеntiаl", "confidential"),
        ("ѕесrеt", "secret"),
        ("секретно", "секретно"),
        ("ΑΒΓ διαβαθμισμένο", "aby διαβαθμισμένο"),
        ("Cónfidéntial", "confidential"),
        ("con\u200bfi\u00addential", "confidential"),
        ("s\u0336e\u0336c\u0336r\u0336e\u0336t", "secret"),
        ("ﬁle ½ ㎏", "file 1⁄2 kg"),
        ("１１０①", "1101"),
        ("İß", "iß"),
        ("⻝品", "食品"),
        ("a\x00b", "a b"),
        ("x\ud800机", "x\ufffd机"),
        ("", ""),
    ],
)
def test_folds(text: str, folded: str) -> None:
    assert fold(text).text == folded


def test_the_way_back_spans_what_was_removed_inside() -> None:
    text = "本件属机 \u200b密级"
    folded = fold(text)
    start = folded.text.index("机密")
    first, end = folded.span(start, start + 2)
    assert text[first:end] == "机 \u200b密"


def test_an_expansion_points_at_the_character_it_came_from() -> None:
    text = "密㎏x"
    folded = fold(text)
    assert folded.text == "密kgx"
    assert folded.span(1, 3) == (1, 2)


@given(st.text(alphabet=ALPHABET, max_size=60))
def test_offsets_rise_and_every_character_folds_to_its_own(text: str) -> None:
    folded = fold(text)
    if folded.origin is None:
        assert len(folded.text) == len(text)
        return
    places = folded.origin.tolist()
    assert len(places) == len(folded.text)
    assert places == sorted(places)
    for letter, place in zip(folded.text, places, strict=True):
        alone = fold("z" + text[place]).text[1:]  # "z" keeps a lone look-alike from being judged a word of its own
        assert letter in alone or letter in fold(text[place]).text


@given(st.text(max_size=80))
def test_folding_is_done_once(text: str) -> None:
    once = fold(text).text
    assert len(fold(once).text) <= len(once)
    once.encode()  # no lone surrogate is left


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=80))
def test_ascii_only_changes_case(text: str) -> None:
    assert fold(text).text == text.lower().replace("\x00", " ")


@given(st.text(alphabet=st.sampled_from(sorted(SIMPLIFIED.values())), min_size=1, max_size=20))
def test_simplified_chinese_stays(text: str) -> None:
    assert fold(text).text == text


def test_the_table_is_a_folding() -> None:
    assert not [old for old, new in SIMPLIFIED.items() if new in SIMPLIFIED]
    assert all(len(old) == len(new) == 1 for old, new in (*SIMPLIFIED.items(), *RADICALS.items()))


def test_the_table_covers_the_words_of_secrecy() -> None:
    assert fold("機密絕密祕密財務報表損益資產負債現金審計薪資績效國家秘密標誌保密期限內部資料").text == (
        "机密绝密秘密财务报表损益资产负债现金审计薪资绩效国家秘密标志保密期限内部资料"
    )


def test_the_table_covers_most_of_everyday_traditional_chinese() -> None:
    """Of the characters on the frequent plane of Big5 that GB 2312 lacks, nine in ten are known."""
    frequent = [
        letter
        for high in range(0xA4, 0xC7)
        for low in (*range(0x40, 0x7F), *range(0xA1, 0xFF))
        for letter in bytes([high, low]).decode("big5", "ignore")
        if "\u4e00" <= letter <= "\u9fff" and not _in(letter, "gb2312")
    ]
    known = sum(letter in SIMPLIFIED for letter in frequent)
    assert known / len(frequent) > 0.9


def _in(letter: str, encoding: str) -> bool:
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def test_words_are_folded_and_empty_ones_dropped() -> None:
    assert folded_words("手機| Phone ||") == ("手机", "phone")
