"""Compound files with damage in one of their streams."""

from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

from dlp.extract.compound import Compound
from tests.helpers.compound import a_compound

Path = tuple[str, ...]


def streams(data: bytes) -> dict[Path, bytes]:
    """Every stream of a compound file."""
    compound = Compound(data)
    return {path: compound.read(path) for path in compound.streams}


@st.composite
def damaged(draw: st.DrawFn, whole: Mapping[Path, bytes], names: Sequence[Path]) -> bytes:
    """A file of the streams in `whole`, up to eight bytes changed in one of those that `names` are."""
    name = draw(st.sampled_from(names))
    held = bytearray(whole[name])
    for _ in range(draw(st.integers(1, 8))):
        held[draw(st.integers(0, len(held) - 1))] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
    return a_compound({**whole, name: bytes(held)})
