"""What was made fast in the content validators answers as the plain form would."""

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.detect import content_table as table
from dlp.detect.content import FIGURE, Concept, flat
from dlp.detect.content_code import _CONSTRUCTS, construct, is_open
from dlp.detect.engine import Hit
from dlp.detect.han import _UNUSUAL, _WIDE, SIMPLIFIED, narrow, simplified
from dlp.detect.nearness import HEADING, REACH, _pattern, fills_cell, near
from dlp.detect.views import first_of_blocks

_ALL = re.compile("|".join(f"(?P<{name}>{pattern})" for name, (_, pattern) in _CONSTRUCTS.items()))
WORDS = "if else for while return def fn func import from const let public static int void class struct case try async yield"
SIGNS = '} { ( ) [ ] ; : = == += x foo.bar a->b // /* # #include #define @a -- """ \'a\' 数 , . * & < > require( except: catch('
TOKENS = st.sampled_from(f"{WORDS} {SIGNS}".split())
LINES = st.lists(TOKENS, min_size=1, max_size=8).flatmap(
    lambda words: st.sampled_from([" ", ""]).map(lambda gap: gap.join(words).strip() or "x")
)


@given(
    LINES | st.text(alphabet='#ifupcvladseotnrbwy}{()[]/*-"@_.$=; 数', min_size=1, max_size=20).map(lambda t: t.strip() or "x")
)
def test_a_line_is_what_the_first_construct_that_fits_says(line: str) -> None:
    found = _ALL.match(line)
    assert construct(line) == (found.lastgroup if found else None)


OPEN = (
    *("spdx-license-identifier", "general public licence", "general public license", "apache license", "mit licence"),
    *("mozilla public license", "bsd license", "bsd 3-clause license", "permission is hereby granted", "creative commons"),
    *("redistribution and use in source", "public domain", "opensource", "open source", "open-source", "free software"),
    *("licensed under", "under the terms of", "contributor license", "木兰宽松许可证", "mulan psl", "开源"),
)


@pytest.mark.parametrize("words", OPEN)
def test_every_open_licence_is_seen(words: str) -> None:
    assert re.search(table.OPEN_LICENCE, words)
    assert is_open(f"// {words}\n")


def test_every_form_of_an_open_licence_is_tried_above() -> None:
    forms = [form for form in table.OPEN_LICENCE.split("|") if not any(re.search(form, words) for words in OPEN)]
    assert forms == []


@given(
    st.text(alphabet="税tax收入_/ a1", max_size=30), st.sampled_from(["税收|tax", "收?入", "a ?1|x"]), st.sampled_from(["/", ""])
)
def test_a_concept_is_seen_where_nothing_is_glued_to_it(text: str, concept: str, glue: str) -> None:
    plain = re.compile(rf"(?<![\w{glue}])(?:{concept})(?!\w)")
    assert Concept(re.compile(rf"(?:{concept})(?!\w)"), glue).seen(text) == (plain.search(text) is not None)


@given(st.text(alphabet="aＡ，。　“…①é\u0301\u0327が\u3099ﬁ各\u1100\u1161한—〶〹", max_size=30) | st.text(max_size=30))
def test_narrow_is_nfkc(text: str) -> None:
    assert narrow(text) == unicodedata.normalize("NFKC", text)


def test_what_narrow_passes_over_has_no_other_form() -> None:
    usual = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000 and not _UNUSUAL.match(chr(code))]
    assert len(usual) > 20_000
    for letter in usual:
        assert unicodedata.normalize("NFKC", letter) == letter or _WIDE.match(letter), hex(ord(letter))
        assert unicodedata.combining(letter) == 0


@given(st.text(alphabet="0123,.-/年月元(¥ \n", max_size=30))
def test_every_amount_holds_a_figure(text: str) -> None:
    if re.search(table.AMOUNT, text):
        assert FIGURE.search(text)


@given(st.text(alphabet=[*"aé機密国\u200b，", *list(SIMPLIFIED)[:20]], max_size=40))
def test_simplified_is_the_table_applied(text: str) -> None:
    assert simplified(text) == text.translate(str.maketrans(SIMPLIFIED))
    assert flat(text).isascii() or flat(text) == flat(flat(text))


@given(st.text(alphabet="电话telphone s\t\n13", max_size=200), st.integers(0, 200), st.integers(1, 20))
def test_near_is_the_pattern_asked_before_after_and_in_the_heading(text: str, start: int, length: int) -> None:
    words = ("电话", "tel", "phone")
    start = min(start, len(text))
    end = min(start + length, len(text))
    pattern = _pattern(words)
    beside = pattern.search(text, max(0, start - REACH), start) or pattern.search(text, end, end + REACH)
    heading = fills_cell(text, start, end) and pattern.search(text, 0, HEADING)
    assert near(words, text, start, end) == bool(beside or heading)


@given(st.lists(st.integers(0, 99), unique=True).map(sorted), st.lists(st.integers(1, 99), unique=True).map(sorted))
def test_one_hit_a_block_of_each_part(offsets: list[int], parts: list[int]) -> None:
    starts = [0, *parts]
    seen: set[tuple[int, int]] = set()
    expected = []
    for offset in offsets:
        part = max(start for start in starts if start <= offset)
        if (part, (offset - part) // 16) not in seen:
            seen.add((part, (offset - part) // 16))
            expected.append(offset)
    hits = [Hit("x", offset, 1) for offset in offsets]
    assert [hit.offset for hit in first_of_blocks(np.array(starts), hits, 16)] == expected
