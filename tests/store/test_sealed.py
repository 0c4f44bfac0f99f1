"""A sealed content opens whole and unchanged, under its own key and name, or not at all."""

import io
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.errors import StoreError
from dlp.store.sealed import CHUNK, new_key, seal, unseal, unwrap, wrap

KEY = new_key()
HEADER, TAG = 16, 16


def sealed(content: bytes, size: int = 8, name: str = "q-1") -> bytes:
    return b"".join(seal([content], KEY, name, size=size))


def opened(data: bytes, key: bytes = KEY, name: str = "q-1") -> bytes:
    return b"".join(unseal(io.BytesIO(data).read, key, name))


@given(st.lists(st.binary(max_size=40)), st.integers(1, 50))
def test_content_comes_back_however_it_was_cut(chunks: list[bytes], size: int) -> None:
    data = b"".join(seal(chunks, KEY, "q-1", size=size))
    assert opened(data) == b"".join(chunks)


@given(st.binary(max_size=60), st.data())
def test_any_flipped_bit_is_found(content: bytes, data: st.DataObject) -> None:
    whole = bytearray(sealed(content))
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[bit // 8] ^= 1 << bit % 8
    with pytest.raises(StoreError):
        opened(bytes(whole))


@given(st.binary(max_size=60), st.data())
def test_any_cut_is_found(content: bytes, data: st.DataObject) -> None:
    whole = sealed(content)
    with pytest.raises(StoreError):
        opened(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(st.binary(min_size=1, max_size=60), st.binary(min_size=1, max_size=60))
def test_anything_appended_is_found(content: bytes, more: bytes) -> None:
    with pytest.raises(StoreError):
        opened(sealed(content) + more)


@given(st.permutations(range(4)))
def test_chunks_in_another_order_are_found(order: list[int]) -> None:
    whole = sealed(b"aaaaaaaabbbbbbbbccccccccdddddddd")
    chunks = [whole[HEADER + n * (8 + TAG) :][: 8 + TAG] for n in range(4)]
    shuffled = whole[:HEADER] + b"".join(chunks[n] for n in order)
    if order == sorted(order):
        assert opened(shuffled) == b"aaaaaaaabbbbbbbbccccccccdddddddd"
    else:
        with pytest.raises(StoreError):
            opened(shuffled)


def test_a_chunk_of_another_content_under_the_same_key_is_found() -> None:
    one, other = sealed(b"a" * 8), sealed(b"b" * 8)
    with pytest.raises(StoreError):
        opened(one[:HEADER] + other[HEADER:])


def test_another_key_or_name_does_not_open() -> None:
    with pytest.raises(StoreError):
        opened(sealed(b"content"), key=new_key())
    with pytest.raises(StoreError):
        opened(sealed(b"content"), name="q-2")


@pytest.mark.parametrize("size", [0, (16 << 20) + 1, (1 << 32) - 1])
def test_a_chunk_size_out_of_bounds_is_refused_before_anything_is_read(size: int) -> None:
    whole = sealed(b"content")
    with pytest.raises(StoreError, match="header"):
        opened(whole[:5] + size.to_bytes(4, "big") + whole[9:])


def test_the_same_content_is_never_sealed_alike() -> None:
    assert len({sealed(b"content") for _ in range(50)}) == 50


def test_memory_is_bounded_by_the_chunk() -> None:
    def chunks() -> Iterable[bytes]:
        for _ in range(8):
            yield b"x" * (CHUNK // 2)

    pieces = list(seal(chunks(), KEY, "q-1"))
    assert [len(piece) for piece in pieces] == [HEADER, *[CHUNK + TAG] * 4]


@given(st.binary(max_size=50), st.data())
def test_a_wrapped_value_opens_unchanged_under_its_name_or_not_at_all(plain: bytes, data: st.DataObject) -> None:
    whole = bytearray(wrap(KEY, plain, "q-1"))
    assert unwrap(KEY, bytes(whole), "q-1") == plain
    with pytest.raises(StoreError):
        unwrap(KEY, bytes(whole), "q-2")
    with pytest.raises(StoreError):
        unwrap(KEY, bytes(whole[: data.draw(st.integers(0, len(whole) - 1))]), "q-1")
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[bit // 8] ^= 1 << bit % 8
    with pytest.raises(StoreError):
        unwrap(KEY, bytes(whole), "q-1")
