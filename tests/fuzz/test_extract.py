"""Whatever happens to a document: the walk yields Part, Raw or Unscannable, inside its budget, and never raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.formats import FORMATS, format_for
from dlp.extract.walk import walk
from dlp.model import Limits, Part, Raw, Unscannable, Why
from tests.fuzz.seeds import SEEDS

LIMITS = Limits(bytes=1 << 20, expanded_bytes=8 << 20, depth=4, members=200, seconds=20)
PIECES = [b"\0", b"\xff" * 4, b"<", b">", b"&#", b'"', b"PK\x03\x04", b"\r\n", b"--=_dlp", b"<!--"]
"""What a damaged document may have gained."""
_KINDS = [(form, kind) for form, kinds in SEEDS.items() for kind in kinds]


def check(data: bytes, name: str | None = None) -> None:
    """Walk, and hold the walk to its promise."""
    size = 0
    for piece in walk(Document(data=data, name=name), Budget(LIMITS)):
        assert isinstance(piece, Part | Raw | Unscannable)
        # The walk survives a parser that crashes; that none does is what this looks for.
        assert not (isinstance(piece, Unscannable) and piece.why is Why.CRASHED), piece.detail
        size += len(piece.text) if isinstance(piece, Part) else 0
    assert size <= 64 << 20


@st.composite
def damaged(draw: st.DrawFn, seed: bytes) -> bytes:
    """`seed` with bytes changed, pieces moved, doubled, dropped, or its end cut off."""
    data = bytearray(seed)
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["flip", "insert", "drop", "double", "cut"])):
            case "flip" if at < len(data):
                data[at] = draw(st.integers(0, 255))
            case "insert":
                data[at:at] = draw(st.sampled_from(PIECES))
            case "drop":
                del data[at : at + draw(st.integers(1, 40))]
            case "double":
                data[at:at] = data[at : at + draw(st.integers(1, 200))]
            case "cut" if at:
                del data[at:]
    return bytes(data)


def test_every_format_is_tried() -> None:
    assert set(SEEDS) == {form.name for form in FORMATS}


@pytest.mark.parametrize(("form", "kind"), _KINDS)
def test_a_seed_is_of_its_format(form: str, kind: str) -> None:
    found = format_for(Document(data=SEEDS[form][kind]()).media_type)
    assert found is not None
    assert found.name == form


@pytest.mark.parametrize(("form", "kind"), _KINDS)
@given(choice=st.data())
def test_damaged_documents(form: str, kind: str, choice: st.DataObject) -> None:
    check(choice.draw(damaged(SEEDS[form][kind]())))


@given(data=st.binary(max_size=2_000), name=st.none() | st.text(max_size=20))
def test_any_bytes(data: bytes, name: str | None) -> None:
    check(data, name)


@given(text=st.text(alphabet="<>/!-&#;='\"ab \n\r\t机密:?=_@[]{}%", max_size=400))
def test_any_markup(text: str) -> None:
    for opening in ("<html>", "<?xml version='1.0'?><a>", "Subject: x\r\nTo: y\r\n\r\n", "Subject: "):
        check((opening + text).encode())
