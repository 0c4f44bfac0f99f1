"""Envelopes and marks: whatever is written is read again, and nothing else is taken for one."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.channels.smtp_syntax import Address
from dlp.channels.spool_envelope import Fate, History, Mark, SpoolEnvelope, marks_of
from dlp.channels.spool_folder import spool_id
from tests.channels.spool_house import START, an_address

moments = st.datetimes(
    min_value=datetime(1990, 1, 1),
    timezones=st.sampled_from((UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-3, minutes=-30)))),
)
paths = st.binary(max_size=60).map(lambda inside: b"<" + inside + b">")
addresses = st.builds(Address, path=paths, params=st.lists(st.binary(), max_size=4).map(tuple))
texts = st.text(st.characters(), max_size=80)  # lone surrogates too: replies are whatever bytes came
envelopes = st.builds(
    SpoolEnvelope,
    id=st.from_regex(r"[0-9a-z][0-9a-z-]{0,30}", fullmatch=True),
    queued=moments,
    sender=addresses,
    recipients=st.lists(addresses, min_size=1, max_size=5).map(tuple),
    size=st.integers(min_value=0, max_value=1 << 50),
    once=st.booleans(),
)
places = st.lists(st.integers(min_value=0, max_value=999), max_size=5).map(tuple)
attempts = st.builds(
    Mark, at=moments, replies=st.dictionaries(st.integers(0, 999), texts, min_size=1, max_size=5), lacks_dsn=st.booleans()
)
ends = st.builds(Mark, at=moments, given_up=places)
reports = st.builds(Mark, at=moments, told=st.sampled_from(("failed", "delayed", "relayed")), about=places)
marks = st.one_of(attempts, ends, reports)


@given(envelopes)
def test_an_envelope_is_read_as_it_was_written(envelope: SpoolEnvelope) -> None:
    line = envelope.line()
    assert b"\n" not in line
    assert line.isascii()
    assert SpoolEnvelope.parse(line) == envelope


@given(st.lists(marks, max_size=6), st.integers(min_value=0))
def test_marks_are_read_as_they_were_written_but_for_one_cut_short(made: list[Mark], cut: int) -> None:
    journal = b"".join(mark.line() for mark in made)
    assert marks_of(journal) == (tuple(made), len(journal))
    part = journal[: cut % (len(journal) + 1)]
    read, length = marks_of(part)
    assert read == tuple(made[: len(read)])
    assert length == len(b"".join(mark.line() for mark in read))


values = st.recursive(st.none() | st.integers() | st.text(st.characters(codec="utf-8")), st.lists)


@given(st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()))
def test_what_is_no_envelope_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError):
        SpoolEnvelope.parse(line)


GOOD = SpoolEnvelope(id="x", queued=START, sender=an_address(b"<>"), recipients=(an_address(b"<b@c>"),), size=1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v": 1', b'"v": 2'),
        (b'"size": 1', b'"size": -1'),
        (b'"size": 1', b'"size": "1"'),
        (b'"size": 1', b'"size": true'),
        (b'"once": false', b'"once": 0'),
        (b'"id": "x"', b'"id": 7'),
        (b"+00:00", b""),
        (b'"params": []', b'"params": "x"'),
        (b'"<>"', b"null"),
        (b'"<>"', '"<中>"'.encode()),
        (b'"queued"', b'"cued"'),
    ],
)
def test_an_envelope_with_something_wrong_is_a_value_error(old: bytes, new: bytes) -> None:
    assert old in GOOD.line()
    with pytest.raises(ValueError):
        SpoolEnvelope.parse(GOOD.line().replace(old, new))


def test_a_mark_about_a_recipient_there_is_not_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="recipient"):
        History(GOOD, [Mark(at=START, replies={1: "250 ok"})])


def test_a_later_reply_takes_an_earlier_ones_place() -> None:
    history = History(GOOD, [Mark(at=START, replies={0: "450 later"})])
    assert (history.fate(0), history.waiting, history.last_reply) == (Fate.WAITING, (0,), "450 later")
    history.add(Mark(at=START + timedelta(1), replies={0: "250 mine"}))
    assert (history.fate(0), history.waiting, history.tries) == (Fate.TAKEN, (), 2)
    assert history.tried(0) == START + timedelta(1)


@given(moments, moments, st.binary(min_size=9, max_size=9))
def test_ids_sort_by_time(one: datetime, other: datetime, chance: bytes) -> None:
    first, second = (spool_id(moment, lambda _: chance) for moment in (one, other))
    if abs(one - other) > timedelta(milliseconds=2):
        assert (first < second) == (one < other)
    assert len(first) == 24
