"""Keyed hashes over arrays agree with what they are defined as, and with themselves."""

import hashlib

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from dlp.detect.keyed import Keyed, Sums, sealed, unsealed
from dlp.detect.normalise import fold
from dlp.detect.records import Sieve
from dlp.detect.squeeze import LONGEST, Cells, Shapes, Squeezed

KEY = bytes(range(32))
CELLS = st.lists(st.text(st.sampled_from("0123456789abcXYZ张三李四王五 -_é\t\x01\n○Ⅳ㎏"), max_size=80), min_size=1, max_size=8)


def defined(text: str, table: str, tag: int) -> int:
    """The hash of a squeezed text, in Python's own numbers."""
    drawn = hashlib.shake_256(b"dlp register sums 1" + KEY).digest(2 * (LONGEST + 1) * 8)
    secret = [int.from_bytes(drawn[at : at + 8], "little") for at in range(0, len(drawn), 8)]
    first, second = (
        sum((ord(one) * secret[2 * place + turn] for place, one in enumerate(text, start=1)), secret[turn]) % 2**64 >> 20
        for turn in (0, 1)
    )
    block = first | second << 44 | tag << 88 | len(text) << 96
    own = hashlib.blake2b(table.encode(), key=KEY, digest_size=32, person=b"dlp table hash 1").digest()
    encryptor = Cipher(algorithms.AES256(own), modes.ECB()).encryptor()
    return int.from_bytes(encryptor.update(block.to_bytes(16, "little"))[:8], "little")


def squeezed(text: str) -> str:
    return "".join(one for one in fold(text.replace("\x01", " ")).text if one.isalnum())[:LONGEST]


@given(CELLS, st.integers(0, 255))
def test_a_cell_has_the_hash_of_its_letters_and_digits(cells: list[str], tag: int) -> None:
    hashes = Keyed(KEY, "t").hashes(Sums(KEY).cells(Cells.of(cells)), tag).tolist()
    assert hashes == [defined(squeezed(cell), "t", tag) for cell in cells]


@settings(deadline=None)
@given(CELLS, CELLS)
def test_a_cell_in_a_text_has_the_hash_it_has_alone(cells: list[str], others: list[str]) -> None:
    """Wherever it stands, a span of its shape begins there with its hash."""
    keyed, sums = Keyed(KEY, "t"), Sums(KEY)
    known = Cells.of(cells)
    wanted = set(keyed.hashes(sums.cells(known), 1)[known.lengths > 0].tolist())
    text = Squeezed.of(fold("\n".join(f"{a};{b}" for a, b in zip(cells, [*others, *cells], strict=False))).text)
    seen = set()
    for length, places in Shapes(known.shapes(known.lengths > 0)).spans(text):
        seen.update(keyed.hashes(sums.spans(text.codes, places, length), 1).tolist())
    loose = {value for value, cell in zip(keyed.hashes(sums.cells(known), 1).tolist(), cells, strict=True) if _loose(cell)}
    assert wanted - loose <= seen


def _loose(cell: str) -> bool:
    """More separators than a span may hold."""
    folded = fold(cell.replace("\x01", " ")).text
    kept = [at for at, one in enumerate(folded) if one.isalnum()][:LONGEST]
    return bool(kept) and kept[-1] - kept[0] >= 2 * len(kept) + 8


def test_tables_columns_and_keys_differ() -> None:
    texts = Sums(KEY).cells(Cells.of(["13800138000"]))
    keyed = Keyed(KEY, "t")
    values = [
        *keyed.hashes(texts, 1),
        *keyed.hashes(texts, 2),
        *Keyed(KEY, "u").hashes(texts, 1),
        *Keyed(KEY[::-1], "t").hashes(Sums(KEY[::-1]).cells(Cells.of(["13800138000"])), 1),
        *keyed.masks(keyed.hashes(texts, 1), 1),
    ]
    assert len(set(values)) == 5


@given(st.lists(st.integers(0, 2**64 - 1), max_size=200))
def test_a_sieve_holds_back_none_of_its_own(numbers: list[int]) -> None:
    hashes = np.sort(np.array(numbers, dtype=np.uint64))
    assert len(Sieve(hashes).passed(hashes)) == len(hashes)


def test_a_sieve_holds_back_most_others() -> None:
    draw = np.random.default_rng(1)
    hashes = np.sort(draw.integers(0, 2**64, 10_000, dtype=np.uint64))
    assert len(Sieve(hashes).passed(draw.integers(0, 2**64, 10_000, dtype=np.uint64))) < 2_000


def test_facts_open_under_their_key_and_name_only() -> None:
    text = sealed(KEY, {"title": "客户"}, "t1")
    assert unsealed(KEY, text, "t1") == {"title": "客户"}
    for key, name, sealing in ((KEY[::-1], "t1", text), (KEY, "t2", text), (KEY, "t1", text[:-2] + "00"), (KEY, "t1", "")):
        with pytest.raises(ValueError):
            unsealed(key, sealing, name)
