"""Passwords to try: the operator's, and what a sender's last messages named; and that nobody is told them."""

from pathlib import Path

import pytest

from dlp.errors import ConfigError
from dlp.extract.passwords import TRIES
from dlp.model import Channel
from dlp.workers import wire
from dlp.workers.crew import Task
from dlp.workers.passwords import LONGEST, MOST_GIVEN, MOST_PASSED, SENDERS, PasswordSettings, Remembered, Words
from dlp.workers.pool import Plan
from dlp.workers.processes import Done
from tests.workers.helpers import LIMITS, a_pool, ask

SECRET = "Tr0ub4dor&3"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def tried(workers: object, channel: Channel = Channel.MAIL, **more: str) -> tuple[str, ...]:
    """What a child was given."""
    (finding,) = (await ask(workers, "learn", channel, **more)).findings  # type: ignore[arg-type]
    return finding.trail


# ---- From one message to the next


async def test_the_next_message_of_a_sender_is_tried_with_what_the_last_named() -> None:
    async with a_pool(given=Words(("listed",))) as workers:
        assert await tried(workers) == ("listed",)
        await ask(workers, f"learn:the password is {SECRET}", Channel.MAIL)
        assert await tried(workers) == ("listed", SECRET)
        assert await tried(workers, sender="A@EXAMPLE.COM") == ("listed", SECRET)
        assert await tried(workers, sender="b@example.com") == ("listed",)
        assert await tried(workers, sender="") == ("listed",)
        assert await tried(workers, Channel.SHARE) == ("listed",)


async def test_files_and_bounces_teach_nothing() -> None:
    async with a_pool() as workers:
        await ask(workers, f"learn:the password is {SECRET}", Channel.SHARE)
        await ask(workers, f"learn:the password is {SECRET}", Channel.MAIL, sender="")
        assert await tried(workers) == await tried(workers, sender="") == ()


async def test_a_reload_takes_up_the_list_and_keeps_what_was_learned() -> None:
    async with a_pool(given=Words(("old",))) as workers:
        await ask(workers, f"learn:the password is {SECRET}", Channel.MAIL)
        await workers.reload(Plan(limits=LIMITS, given=Words(("new",))))
        assert await tried(workers) == ("new", SECRET)
        await workers.reload(Plan(limits=LIMITS, passwords=PasswordSettings(remember=0)))
        assert await tried(workers) == ()


async def test_a_child_cannot_teach_without_bounds() -> None:
    async with a_pool() as workers:
        for count in (wire.MOST_LEARNED + 1, 500_000):
            found = await ask(workers, f"learn_too_much:{count}", Channel.MAIL)
            assert found.media_type == "text/salvaged"
        assert await tried(workers) == ()


# ---- What is remembered


def test_the_newest_comes_first_and_each_once() -> None:
    known = Remembered(PasswordSettings(remember=3))
    known.learn("a", ["one", "two"])
    known.learn("a", ["three", "one"])
    assert known.of("a") == ("three", "one", "two")
    known.learn("a", ["four"])
    assert known.of("a") == ("four", "three", "one")
    known.learn("a", [])
    assert known.of("a") == ("four", "three", "one")


def test_what_is_old_is_forgotten() -> None:
    clock = Clock()
    known = Remembered(PasswordSettings(remember_seconds=10), clock=clock)
    known.learn("a", ["one"])
    clock.now = 6
    known.learn("a", ["two"])
    known.learn("b", ["three"])
    clock.now = 12
    assert (known.of("a"), known.of("b")) == (("two",), ("three",))
    clock.now = 20
    assert (known.of("a"), known._senders) == ((), {})


def test_the_sender_silent_for_longest_is_forgotten_first() -> None:
    known = Remembered(PasswordSettings())
    for number in range(SENDERS):
        known.learn(f"{number}", ["word"])
    known.learn("0", ["more"])
    known.learn("new", ["word"])
    assert (known.of("1"), known.of("0"), known.of("new")) == ((), ("more", "word"), ("word",))
    assert len(known._senders) == SENDERS


# ---- What the operator lists


def test_the_list_and_the_file_are_one(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_bytes("\ufeff two words \r\n\r\n密码\none\n".encode())
    assert PasswordSettings(list=("one",), file=tmp_path / "p.txt").given().words == ("one", " two words ", "密码")
    assert PasswordSettings().given() == Words()


@pytest.mark.parametrize("content", [None, b"caf\xe9", b"x" * (LONGEST + 1), b"a\n" * (MOST_GIVEN + 1)])
def test_a_file_that_cannot_be_used_is_a_fault_that_quotes_nothing(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "p.txt").write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        PasswordSettings(file=tmp_path / "p.txt").given()
    (fault,) = raised.value.faults
    assert (fault.where, fault.key) == (str(tmp_path / "p.txt"), "passwords.file")
    assert "xx" not in fault.what


@pytest.mark.parametrize("wrong", [{"list": ("",)}, {"list": ("x",) * 101}, {"remember": -1}, {"remember_seconds": -1}])
def test_a_table_that_cannot_work_is_a_fault(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"passwords.{next(iter(wrong))}"):
        PasswordSettings(**wrong)  # type: ignore[arg-type]


async def test_a_message_has_room_for_words_of_its_own() -> None:
    listed = tuple(f"{number:03}" + "密" * ((LONGEST - 3) // 3) for number in range(MOST_GIVEN))
    PasswordSettings(list=listed)
    long = wire.LONGEST_LEARNED - 3
    async with a_pool(given=Words(listed), passwords=PasswordSettings(remember=200)) as workers:
        for number in range(100, 160):
            await ask(workers, f"learn:密码：{number}{chr(0x20000) * long} ", Channel.MAIL)
        assert (await ask(workers, "learn", Channel.MAIL)).media_type == f"text/{MOST_PASSED}"
    assert MOST_GIVEN < MOST_PASSED < TRIES


# ---- Who is told


@pytest.mark.parametrize(
    "value",
    [
        Words((SECRET,)),
        PasswordSettings(list=(SECRET,)),
        Plan(given=Words((SECRET,)), passwords=PasswordSettings(list=(SECRET,))),
        Task(content=0, size=0, seconds=1, passwords=Words((SECRET,))),
        wire.Job(1, 2, None, None, 1.0, passwords=(SECRET,)),
        wire.Answer(1, why=None, learned=(SECRET,)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_value_shows_them(value: object) -> None:
    assert SECRET not in repr(value) + str(value)


def test_neither_do_those_that_keep_them() -> None:
    known = Remembered(PasswordSettings())
    known.learn("a", [SECRET])
    assert SECRET not in repr(known)
    assert SECRET not in repr(Done(inspection=None, learned=(SECRET,)))  # type: ignore[arg-type]
