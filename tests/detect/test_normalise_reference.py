"""Folding over numpy does what the same rules do written out, a character at a time."""

import re
import unicodedata

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dlp.detect import normalise
from dlp.detect.normalise import fold
from dlp.detect.views import characters_before

CHINESE = re.compile(
    "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af\u3021-\u3029★☆〇【】《》〈〉〔〕「」『』〖〗]"
)
LETTER = re.compile("[a-z\u0370-\u052fɑɩ]")
INVISIBLE = {code for first, last in normalise._INVISIBLE for code in range(first, last + 1)}
ALPHABET = "机機密秘★【】10年aAéß ﬁ½㎏㍿аеЕсрωɑ\u200b\u202e\u0301\ufe0f\n\n\t .-·*/、，：；()Ｘ９①\x00\ud800𝒜😀⻝\u2028"


def reference(text: str) -> tuple[str, list[int]]:
    """The folded text, and where each of its characters came from."""
    letters = [(letter, place) for place, original in enumerate(text) for letter in _letters(original)]
    _latinised(letters)
    gone = _closed([letter for letter, _ in letters])
    kept = [pair for place, pair in enumerate(letters) if place not in gone]
    return "".join(letter for letter, _ in kept), [place for _, place in kept]


def _letters(original: str) -> str:
    if original == "\x00":
        return " "
    if "\ud800" <= original <= "\udfff":
        return "\ufffd"
    return "" if ord(original) in INVISIBLE else normalise._folded_letter(original)


def _latinised(letters: list[tuple[str, int]]) -> None:
    start = 0
    while start < len(letters):
        end = start
        while end < len(letters) and LETTER.match(letters[end][0]):
            end += 1
        word = [letter for letter, _ in letters[start:end]]
        if any("a" <= letter <= "z" for letter in word) or all(letter in normalise._LOOK_ALIKE for letter in word):
            letters[start:end] = [(normalise._LOOK_ALIKE.get(letter, letter), place) for letter, place in letters[start:end]]
        start = end + 1


def _closed(letters: list[str]) -> set[int]:
    """Places that go."""

    def chinese(place: int) -> bool:
        return 0 <= place < len(letters) and CHINESE.match(letters[place]) is not None

    def junk(place: int) -> bool:
        if place >= len(letters):
            return False
        if letters[place] in normalise._SPACES + normalise._JOINTS:
            return True
        before, after = chinese(place - 1) and not chinese(place - 2), chinese(place + 1) and not chinese(place + 2)
        return letters[place] in normalise._WEAK_JOINTS and (before or after)

    gone: set[int] = set()
    for start in range(1, len(letters)):
        if chinese(start - 1) and junk(start):
            end = start
            while junk(end):
                end += 1
            newlines = sum(letters[place] in "\n\x0b\x0c\u2028\u2029\x85" for place in range(start, end))
            if chinese(end) and end - start <= normalise._REACH and newlines <= 1:
                gone.update(range(start, end))
    return gone


@given(st.text(alphabet=ALPHABET, max_size=60) | st.text(alphabet="密a \n*-", max_size=60) | st.text(max_size=40))
def test_folding_is_the_rules_written_out(text: str) -> None:
    folded = fold(text)
    expected, places = reference(text)
    if text.isascii():
        assert folded.text == expected
        return
    assert (folded.text, list(range(len(text))) if folded.origin is None else folded.origin.tolist()) == (expected, places)


def test_a_run_of_separators_is_closed_up_to_its_longest() -> None:
    for length in range(1, normalise._REACH + 3):
        text = f"机{' ' * length}密"
        assert fold(text).text == ("机密" if length <= normalise._REACH else text)


@given(st.text(alphabet="aé机😀\n", max_size=50), st.data())
def test_characters_are_counted_in_bytes(text: str, data: st.DataObject) -> None:
    encoded = text.encode()
    offsets = data.draw(st.lists(st.integers(0, len(encoded)), max_size=8))
    begins = [place for place, byte in enumerate(encoded) if byte & 0xC0 != 0x80]
    counted = characters_before(encoded, np.array(offsets, dtype=np.int64))
    assert counted.tolist() == [sum(place < offset for place in begins) for offset in offsets]


def test_the_reference_knows_what_is_composed() -> None:
    assert reference(unicodedata.normalize("NFD", "é机 密"))[0] == "e机密"
