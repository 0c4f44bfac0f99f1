"""Fingerprints: the same whatever the pieces, found in a part, keyed; and the index they stand in."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.detect import fingerprint_index, fingerprints
from dlp.detect.fingerprint_index import Addition, Index, change
from dlp.detect.fingerprints import ASKED, GRAM, WINDOW, Hashes, Press, of_texts

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


def prose(seed: int, length: int = 3000) -> str:
    """Chinese characters at random."""
    chance = random.Random(seed)
    return "".join(chr(chance.randrange(0x4E00, 0x9000)) for _ in range(length))


def naive(text: str, window: int) -> set[int]:
    """Winnowing as it is defined, in plain Python; not encrypted."""
    codes = [ord(character) for character in text if character.isalnum()]
    hashes = []
    for start in range(len(codes) - GRAM + 1):
        value = sum(code * fingerprints._BASE**place for place, code in enumerate(codes[start : start + GRAM]))
        hashes.append(value * int(fingerprints._MIX) % (1 << 64))
    return {min(hashes[start : start + window]) for start in range(len(hashes) - window + 1)}


@given(st.text(st.sampled_from("ab密级 -1\U00020000\ud800é"), max_size=400), st.sampled_from([8, 32]))
def test_winnowing_is_as_it_is_defined(text: str, window: int) -> None:
    press = Press(KEY, window)
    press.feed(text)
    expected = np.array(sorted(naive(text, window)), dtype=np.uint64)
    assert set(press.finish().hashes.tolist()) == set(fingerprints.encrypted(expected, KEY).tolist())


@given(st.lists(st.text(max_size=120), max_size=30), st.sampled_from([8, 32]))
def test_pieces_make_no_difference(texts: list[str], window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprints, "_PIECE", 64)
        small = Press(KEY, window)
        for text in texts:
            small.feed(text)
        pieces = small.finish()
    whole = Press(KEY, window)
    whole.feed("".join(texts))
    one = whole.finish()
    assert pieces.hashes.tolist() == one.hashes.tolist()
    assert pieces.positions.tolist() == one.positions.tolist()
    assert pieces.characters == one.characters == sum(character.isalnum() for text in texts for character in text)


def test_a_shared_run_has_a_fingerprint_in_common() -> None:
    shared = prose(1, GRAM + WINDOW - 1)
    one = of_texts([prose(2), shared, prose(3)], KEY)
    for window in (ASKED, WINDOW):
        press = Press(KEY, window)
        press.feed(prose(4) + " ，".join(shared) + prose(5))
        assert set(one.hashes.tolist()) & set(press.finish().hashes.tolist())


def test_another_key_makes_other_fingerprints() -> None:
    mine, other = of_texts([prose(1)], KEY), of_texts([prose(1)], OTHER)
    assert mine.positions.tolist() == other.positions.tolist()
    assert not set(mine.hashes.tolist()) & set(other.hashes.tolist())


def test_too_short_a_text_has_none() -> None:
    assert of_texts([prose(1, GRAM + WINDOW - 2)], KEY).hashes.size == 0
    assert of_texts([prose(1, GRAM + WINDOW - 1)], KEY).hashes.size == 1
    assert of_texts([], KEY).characters == 0


def test_they_survive_their_way_as_bytes() -> None:
    hashes = of_texts([prose(1)], KEY).hashes
    assert fingerprints.unpacked(fingerprints.packed(hashes)).tolist() == hashes.tolist()
    with pytest.raises(ValueError, match="multiple"):
        fingerprints.unpacked(b"123")


# ---- The index


def hashes_of(numbers: list[int]) -> Hashes:
    return np.array(numbers, dtype=np.uint64)


def addition(name: str, numbers: list[int]) -> Addition:
    return Addition(id=name, hashes=hashes_of(numbers), file=len(name))


def asked(folder: Path, numbers: list[int]) -> set[tuple[int, str]]:
    """The pairs (number asked, id of a document that has it) of an index."""
    index = Index.opened(folder)
    assert index is not None
    names = {entry.number: entry.id for entry in index.entries}
    places, documents, whole = index.look_up(hashes_of(numbers), 1000)
    assert whole
    pairs = zip(places.tolist(), documents.tolist(), strict=True)
    return {(numbers[place], names[number]) for place, number in pairs if number in names}


CHANGES = st.lists(
    st.tuples(
        st.lists(st.lists(st.integers(0, 40).map(lambda number: number * ((1 << 64) // 41)), max_size=20), max_size=4),
        st.booleans(),
    ),
    max_size=6,
)


@given(CHANGES, st.integers(1, 30))
def test_the_index_is_what_was_added_and_not_removed(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[list[list[int]], bool]], limit: int
) -> None:
    folder, names, kept = tmp_path_factory.mktemp("index"), 0, dict[str, set[int]]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprint_index, "LARGEST_DELTA", limit)
        patch.setattr(fingerprint_index, "_PIECE", 7)
        for documents, forgets in changes:
            gone = set(list(kept)[::2]) if forgets else set()
            add = [addition(f"d{names + place}", numbers) for place, numbers in enumerate(documents)]
            change(folder, add=add, remove=gone)
            names += len(add)
            kept = {name: numbers for name, numbers in kept.items() if name not in gone}
            kept |= {one.id: set(one.hashes.tolist()) for one in add}
            everything = [number * ((1 << 64) // 41) for number in range(41)]
            expected = {(number, name) for name, numbers in kept.items() for number in numbers}
            assert asked(folder, everything) == expected
            found = Index.opened(folder)
            assert found is not None
            assert {entry.id: entry.prints for entry in found.entries} == {name: len(held) for name, held in kept.items()}


def test_a_merge_leaves_an_empty_delta_and_one_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint_index, "LARGEST_DELTA", 10)
    change(tmp_path, add=[addition("a", list(range(8)))])
    (one,) = (Index.opened(tmp_path) or pytest.fail()).segments
    assert one.hashes.size == 8
    change(tmp_path, add=[addition("b", list(range(4, 12)))])
    (one,) = (Index.opened(tmp_path) or pytest.fail()).segments
    assert one.hashes.tolist() == sorted([*range(8), *range(4, 12)])
    change(tmp_path, add=[addition("c", [99])])
    assert [segment.hashes.size for segment in (Index.opened(tmp_path) or pytest.fail()).segments] == [16, 1]


def test_a_common_hash_names_a_bounded_number_of_documents(tmp_path: Path) -> None:
    change(tmp_path, add=[addition(f"d{place}", [7]) for place in range(fingerprint_index.LONGEST_RUN + 10)])
    index = Index.opened(tmp_path)
    assert index is not None
    places, numbers, whole = index.look_up(hashes_of([7, 8, 7]), 1000)
    assert (places.size, numbers.size, whole) == (2 * fingerprint_index.LONGEST_RUN, 2 * fingerprint_index.LONGEST_RUN, True)
    assert index.look_up(hashes_of([7, 7]), 70)[2] is False


def test_versions_of_a_document_are_one_family(tmp_path: Path) -> None:
    chance = random.Random(1)
    first = [chance.randrange(1 << 64) for _ in range(200)]
    later = [*first[:180], *(chance.randrange(1 << 64) for _ in range(20))]
    other = [chance.randrange(1 << 64) for _ in range(200)]
    change(tmp_path, add=[addition("first", first), addition("other", other)])
    change(tmp_path, add=[addition("later", later), addition("short", first[:5])])
    entries = {entry.id: entry for entry in (Index.opened(tmp_path) or pytest.fail()).entries}
    assert entries["later"].family == entries["first"].family == entries["first"].number
    assert len({entries[name].family for name in ("first", "other", "short")}) == 3


def test_a_press_that_sifts_keeps_what_is_chosen_and_where_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "_SETTLED", 50)
    monkeypatch.setattr(fingerprints, "_PIECE", 64)
    everything = of_texts([prose(1)], KEY)
    press = Press(KEY, WINDOW, lambda hashes: np.flatnonzero(hashes % np.uint64(3) == 0))
    press.feed(prose(1))
    sifted, kept = press.finish(), everything.hashes % np.uint64(3) == 0
    assert sifted.hashes.tolist() == everything.hashes[kept].tolist() != []
    assert sifted.positions.tolist() == everything.positions[kept].tolist()
