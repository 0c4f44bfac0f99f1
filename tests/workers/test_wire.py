"""What a child may say: nothing that is not of the declared types, possible, and short enough."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.model import Attachment, Finding, Inspection, Mode, Unscannable, Why, Zone
from dlp.redact import mask
from dlp.workers.wire import (
    LONGEST_ANSWER,
    LONGEST_DECLARED,
    LONGEST_LEARNED,
    MOST_ATTACHMENTS,
    MOST_FINDINGS,
    MOST_LEARNED,
    MOST_UNSCANNABLE,
    Answer,
    LyingChild,
    decode_answer,
    encode,
    encode_answer,
    entered,
    entering,
)

KNOWN = frozenset({"a", "b", "c"})
SIZE = 1000
trails = st.lists(st.text(max_size=300), max_size=70).map(tuple)
findings = st.builds(
    Finding,
    signature=st.sampled_from(sorted(KNOWN)),
    category=st.none() | st.just("source-code"),
    level=st.none() | st.sampled_from(["internal", "top-secret"]),
    confidence=st.integers(0, 100),
    count=st.integers(1, 10**6),
    trail=trails,
    zone=st.sampled_from(Zone),
    offset=st.integers(0, 1 << 40),
    excerpt=st.text(max_size=60),
    mode=st.sampled_from(Mode),
    facts=st.dictionaries(st.text(max_size=80), st.text(max_size=80), max_size=12),
)
places = st.builds(Unscannable, why=st.sampled_from(Why), trail=trails, detail=st.text(max_size=300))
attachments = st.builds(
    lambda names, cuts: tuple(
        Attachment(name=name, start=start, end=end) for name, start, end in zip(names, cuts[::2], cuts[1::2], strict=False)
    ),
    st.lists(st.text(max_size=300), max_size=4),
    st.lists(st.integers(0, SIZE), max_size=8, unique=True).map(sorted),
)
inspections = st.builds(
    Inspection,
    findings=st.lists(findings, max_size=5).map(tuple),
    unscannable=st.lists(places, max_size=5).map(tuple),
    seconds=st.floats(0, 1e6),
    media_type=st.text(max_size=40) | st.just("text/plain"),
    parts=st.integers(0, 10**6),
    text_chars=st.integers(0, 1 << 40),
    attachments=attachments,
)


@given(st.binary(max_size=2000))
def test_noise_is_a_lie(data: bytes) -> None:
    with pytest.raises(LyingChild):
        decode_answer(data, 1, KNOWN, size=SIZE)


@given(inspections)
def test_whatever_an_honest_child_found_arrives(inspection: Inspection) -> None:
    got = decode_answer(encode_answer(Answer(7, inspection)), 7, KNOWN, size=SIZE).inspection
    assert got is not None
    assert [one.signature for one in got.findings] == [one.signature for one in inspection.findings]
    assert [one.why for one in got.unscannable] == [one.why for one in inspection.unscannable]
    assert all(one.excerpt == mask(one.excerpt) for one in got.findings)
    places = [(one.start, one.end) for one in inspection.attachments]
    assert [(one.start, one.end) for one in got.attachments] == places
    first_steps = {one.name[:250] for one in inspection.attachments if one.name.isascii()}
    assert {one.name[:250] for one in got.attachments} >= first_steps


@given(inspections, st.data())
def test_a_damaged_answer_is_a_lie_or_still_possible(inspection: Inspection, data: st.DataObject) -> None:
    answer = bytearray(encode_answer(Answer(7, inspection)))
    answer[data.draw(st.integers(0, len(answer) - 1))] = data.draw(st.integers(0, 255))
    try:
        got = decode_answer(bytes(answer), 7, KNOWN, size=SIZE).inspection
    except LyingChild:
        return
    if got is not None:
        assert {one.signature for one in got.findings} <= KNOWN
        cuts = [cut for one in got.attachments for cut in (one.start, one.end)]
        assert cuts == sorted(cuts), "whatever is cut out of the message is in order and apart"
        assert not cuts or (cuts[0] >= 0 and cuts[-1] <= SIZE)


@given(st.lists(st.text(max_size=100), max_size=2 * MOST_LEARNED))
def test_whatever_an_honest_child_learned_arrives_within_bounds(learned: list[str]) -> None:
    got = decode_answer(encode_answer(Answer(7, Inspection(), learned=tuple(learned))), 7, KNOWN, size=SIZE).learned
    assert len(got) == min(len(learned), MOST_LEARNED)
    assert all(len(word) <= LONGEST_LEARNED for word in got)


@given(st.integers(1, 1 << 40), st.integers(0, 1 << 40), st.integers(0, 1 << 40))
def test_documents_are_entered_in_order_and_within_bounds(number: int, after: int, most: int) -> None:
    if after < number <= most:
        assert entered(entering(number), after=after, most=most) == number
    else:
        with pytest.raises(LyingChild):
            entered(entering(number), after=after, most=most)


@given(st.binary(max_size=20))
def test_a_packet_enters_a_document_or_begins_an_answer_or_is_a_lie(packet: bytes) -> None:
    try:
        number = entered(packet, after=5, most=1000)
    except LyingChild:
        return
    assert number is None or 5 < number <= 1000


def test_an_answer_enters_nothing() -> None:
    assert entered(LONGEST_ANSWER.to_bytes(8, "big") + b"x", after=0, most=10) is None


A = Finding(signature="a")
GOOD = Inspection(findings=(A,))
IMPOSSIBLE: list[Any] = [
    replace(GOOD, findings=(replace(A, signature="z"),)),
    replace(GOOD, findings=(replace(A, confidence=101),)),
    replace(GOOD, findings=(replace(A, count=0),)),
    replace(GOOD, findings=(replace(A, offset=-1),)),
    replace(GOOD, findings=(replace(A, level="secret\n"),)),
    replace(GOOD, findings=(replace(A, category="x" * 200),)),
    replace(GOOD, findings=(replace(A, excerpt="x" * 25),)),
    replace(GOOD, findings=(replace(A, trail=("x" * 256,)),)),
    replace(GOOD, findings=(replace(A, trail=("x",) * 65),)),
    replace(GOOD, findings=(replace(A, facts={str(n): "" for n in range(9)}),)),
    replace(GOOD, findings=(replace(A, facts={"a": "x" * 65}),)),
    replace(GOOD, findings=(A,) * (MOST_FINDINGS + 1)),
    replace(GOOD, unscannable=(Unscannable(why=Why.CORRUPT),) * (MOST_UNSCANNABLE + 1)),
    replace(GOOD, unscannable=(Unscannable(why=Why.CORRUPT, detail="x" * 201),)),
    replace(GOOD, seconds=float("nan")),
    replace(GOOD, seconds=-1.0),
    replace(GOOD, parts=-1),
    replace(GOOD, text_chars=1 << 60),
    replace(GOOD, pictures=-1),
    replace(GOOD, pictures=1 << 60),
    replace(GOOD, media_type="text/plain; charset=x"),
    *(
        replace(GOOD, attachments=tuple(Attachment(name="a", start=start, end=end) for start, end in spans))
        for spans in (
            [(-1, 5)],
            [(5, 5)],
            [(9, 5)],
            [(0, SIZE + 1)],
            [(SIZE, SIZE + 1)],
            [(1 << 60, (1 << 60) + 1)],
            [(0, 10), (9, 20)],
            [(0, 30), (10, 20)],
            [(10, 20), (0, 5)],
            [(10, 20), (10, 20)],
            [(n, n + 1) for n in range(MOST_ATTACHMENTS + 1)],
        )
    ),
    replace(GOOD, attachments=(Attachment(name="x" * 256, start=0, end=1),)),
]


@pytest.mark.parametrize("inspection", IMPOSSIBLE)
def test_impossible_values_are_a_lie(inspection: Inspection) -> None:
    assert decode_answer(encode(Answer(1, GOOD)), 1, KNOWN, size=SIZE).inspection == GOOD
    with pytest.raises(LyingChild, match="impossible"):
        decode_answer(encode(Answer(1, inspection)), 1, KNOWN, size=SIZE)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(2, GOOD),
        Answer(1),
        Answer(1, GOOD, why=Why.CRASHED),
        Answer(1, why=Why.CRASHED, detail="x" * 201),
        Answer(1, GOOD, learned=("x",) * (MOST_LEARNED + 1)),
        Answer(1, GOOD, learned=("x" * (LONGEST_LEARNED + 1),)),
        Answer(1, GOOD, learned=(7,)),  # type: ignore[arg-type]
        Answer(1, GOOD, declared=bytes(LONGEST_DECLARED + 1)),
        Answer(1, GOOD, declared="x"),  # type: ignore[arg-type]
        {"serial": 1, "why": "bored"},
        {"serial": "1", "why": "crashed"},
        {"serial": 1, "why": "crashed", "more": 1},
    ],
)
def test_an_answer_that_is_none_is_a_lie(answer: object) -> None:
    with pytest.raises(LyingChild):
        decode_answer(msgspec.msgpack.encode(answer), 1, KNOWN, size=SIZE)


def test_a_nest_of_a_million_levels_is_a_lie() -> None:
    with pytest.raises(LyingChild):
        decode_answer(b"\x81\xa1x" + b"\x91" * 1_000_000, 1, KNOWN, size=SIZE)
    inside = b"\x81\xaainspection\x81\xa1x" + b"\x91" * 1_000_000
    with pytest.raises(LyingChild):
        decode_answer(inside, 1, KNOWN, size=SIZE)


def test_an_answer_too_long_is_cut_and_says_so() -> None:
    long = Finding(signature="a", trail=("密" * 255,) * 60)
    data = encode_answer(Answer(1, Inspection(findings=(long,) * 5000 + (Finding(signature="b"),))))
    assert len(data) <= LONGEST_ANSWER
    got = decode_answer(data, 1, KNOWN, size=SIZE).inspection
    assert got is not None
    assert [one.why for one in got.unscannable] == [Why.TOO_MANY]
    assert {one.signature for one in got.findings} == {"a", "b"}


def test_attachments_beyond_the_most_are_not_told_of() -> None:
    many = tuple(Attachment(name="密" * 300, start=n, end=n + 1) for n in range(2 * MOST_ATTACHMENTS))
    got = decode_answer(encode_answer(Answer(1, Inspection(attachments=many))), 1, KNOWN, size=len(many)).inspection
    assert got is not None
    assert [one.start for one in got.attachments] == list(range(MOST_ATTACHMENTS))
    assert {one.name for one in got.attachments} == {"密" * 255}


def test_ten_thousand_findings_are_not_too_many() -> None:
    got = decode_answer(encode_answer(Answer(1, Inspection(findings=(A,) * MOST_FINDINGS))), 1, KNOWN, size=SIZE).inspection
    assert got is not None
    assert len(got.findings) == MOST_FINDINGS
    assert not got.unscannable
