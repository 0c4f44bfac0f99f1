"""A small loss test, so that the large one (`make test-loss`) cannot rot, and what its judge and its killer can see."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.daemon import eventually
from tests.helpers.scale import LONG
from tests.helpers.smtp import stuffed, unstuffed
from tests.loss.hop import Record, records
from tests.loss.judge import HOP, RELEASER, Evidence, Held, Report, judge
from tests.loss.messages import SHARES, Kind, Message, a_message, arrived
from tests.loss.processes import FRONT, GATEWAY, WORKER, ZYGOTE, children, kill, tree
from tests.loss.records import Attempt, Kill
from tests.loss.run import MODES, Plan, run

MESSAGES = [a_message(number) for number in range(10)]
CLEAN, HELD, REFUSED = MESSAGES[0], MESSAGES[7], MESSAGES[9]
ADDED = b"Received: from client.example\r\n\tby gate.example; Sat, 1 Jan 2022 00:00:00 +0000\r\nX-DLP-Item: item-1\r\n"


def shown(report: Report) -> str:
    return "\n".join([report.table, *report.duplicates, *report.faults])


@pytest.mark.timeout(600)
def test_nothing_is_lost_and_every_duplicate_is_explained(tmp_path: Path) -> None:
    report = run(tmp_path, Plan(messages=300 if LONG else 150, kills=6 if LONG else 3, release_kills=2))
    assert not report.faults, shown(report)
    assert report.figures["kills"] >= (8 if LONG else 5), shown(report)
    assert report.figures["released copies"] >= (60 if LONG else 30), shown(report)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_gateway_that_answers_from_memory_is_seen_to_lose(tmp_path: Path) -> None:
    report = run(tmp_path, Plan(messages=150, kills=3, mode=MODES["control"], module="tests.loss.control"))
    assert report.lost, shown(report)
    assert all(any(identity in fault for fault in report.faults) for identity in report.lost)


# The judge


def copy(message: Message, at: float, *, released: str = "") -> Record:
    mark = f"X-DLP-Released: {released}\r\n".encode() if released else b""
    return Record(at, ADDED + mark + message.content)


def attempt(message: Message, begin: float, end: float, reply: str) -> Attempt:
    return Attempt(message.id, begin, end, reply)


def evidence(*messages: Message, **known: object) -> Evidence:
    """Messages that all went well, one second each, and what else is `known`."""
    replies = {Kind.CLEAN: "250 2.0.0 Ok", Kind.HELD: "250 2.0.0 held", Kind.REFUSED: "550 5.7.1 no"}
    good = Evidence(
        messages=messages,
        answers={one.id: replies[one.kind] for one in messages},
        attempts=[attempt(one, 10.0 * number, 10.0 * number + 1, replies[one.kind]) for number, one in enumerate(messages)],
        kills=[],
        delivered=[copy(one, 10.0 * number + 0.5) for number, one in enumerate(messages) if one.kind is Kind.CLEAN],
        held=[held(one, 10.0 * number + 0.5) for number, one in enumerate(messages) if one.kind is not Kind.CLEAN],
    )
    return replace(good, **known)  # type: ignore[arg-type]


def held(message: Message, at: float, *, state: str = "held", number: int = 1) -> Held:
    action = "quarantine" if message.kind is Kind.HELD else "block"
    return Held(f"q-{message.id}-{number}", message.sha256, at, state, action)


TWICE = {
    "answers": {CLEAN.id: "250 2.0.0 Ok"},
    "attempts": [attempt(CLEAN, 1.0, 2.0, ""), attempt(CLEAN, 5.0, 6.0, "250 2.0.0 Ok")],
    "delivered": [copy(CLEAN, 1.5), copy(CLEAN, 5.5)],
}


def test_all_is_well() -> None:
    report = judge(evidence(*MESSAGES))
    assert (report.faults, report.duplicates, report.lost) == ([], [], [])
    assert {kind: SHARES.count(kind) for kind in Kind} == {Kind.CLEAN: 7, Kind.HELD: 2, Kind.REFUSED: 1}


@pytest.mark.parametrize(
    ("seen", "fault"),
    [
        (evidence(CLEAN, delivered=[]), "is nowhere"),
        (evidence(HELD, held=[]), "is nowhere"),
        (evidence(CLEAN, answers={}), "never answered"),
        (evidence(CLEAN, answers={CLEAN.id: "550 5.7.1 no"}), "a message to be relayed was answered"),
        (evidence(REFUSED, answers={REFUSED.id: "250 Ok"}), "a message to be refused was answered"),
        (evidence(REFUSED, delivered=[copy(REFUSED, 0.5)]), "answered '550 5.7.1 no', and the next hop has it"),
        (evidence(HELD, delivered=[copy(HELD, 0.5)]), "was to be quarantined, and the next hop has it"),
        (evidence(CLEAN, delivered=[copy(HELD, 0.5)]), "nobody sent"),
        (evidence(CLEAN, held=[held(HELD, 0.5)]), "nobody sent it"),
        (evidence(CLEAN, delivered=[Record(0.5, ADDED + CLEAN.content + b"more\r\n")]), "has it changed"),
        (evidence(CLEAN, delivered=[Record(0.5, ADDED + b"X-More: 1\r\n" + CLEAN.content)]), "has it changed"),
        (evidence(HELD, held=[held(HELD, 0.5, state="releasing")]), "is releasing at the end"),
        (evidence(HELD, releases=[Attempt("q", 2, 3, "250")]), "was released, and the next hop does not have it"),
        (evidence(HELD, delivered=[copy(HELD, 2.5, released=held(HELD, 0).id)]), "was not released, and the next hop has it"),
        (evidence(CLEAN, **TWICE), "relayed twice"),
        (evidence(CLEAN, **TWICE, kills=[Kill(GATEWAY, 1, 3.0, 3.1, 1)]), "relayed twice"),
        (evidence(CLEAN, **TWICE, kills=[Kill(WORKER, 1, 1.6, 1.7, 1)]), "relayed twice"),
        (evidence(CLEAN, **TWICE, kills=[Kill(RELEASER, 1, 1.6, 1.7, 1)]), "relayed twice"),
        (evidence(HELD, held=[held(HELD, 0.5), held(HELD, 0.6, number=2)]), "in custody twice"),
        (evidence(CLEAN, unsound=["audit line 3: changed"]), "audit line 3"),
    ],
)
def test_the_judge_sees(seen: Evidence, fault: str) -> None:
    report = judge(seen)
    assert any(fault in one for one in report.faults), report.faults


@pytest.mark.parametrize("role", [GATEWAY, HOP, FRONT])
def test_a_duplicate_of_a_kill_in_flight_is_no_fault(role: str) -> None:
    report = judge(evidence(CLEAN, **TWICE, kills=[Kill(role, 7, 1.6, 1.7, 1)]))
    assert (report.faults, len(report.duplicates)) == ([], 1)
    assert f"kill -9 of {role} 7" in report.duplicates[0]


def test_one_kill_in_flight_does_not_explain_two_copies_of_one_attempt() -> None:
    known = TWICE | {"delivered": [copy(CLEAN, 1.4), copy(CLEAN, 1.5), copy(CLEAN, 5.5)]}
    report = judge(evidence(CLEAN, **known, kills=[Kill(GATEWAY, 7, 1.6, 1.7, 1)]))
    assert len(report.faults) == 1


def released(*attempts: Attempt, kills: Sequence[Kill] = (), copies: Sequence[float] = (2.5, 4.5)) -> Report:
    one = held(HELD, 0.5, state="released")
    delivered = [copy(HELD, at, released=one.id) for at in copies]
    return judge(evidence(HELD, held=[one], releases=attempts, delivered=delivered, kills=kills))


def test_a_release_may_be_doubled_by_its_own_death_or_the_hops_and_by_nothing_else() -> None:
    one = held(HELD, 0).id
    attempts = (Attempt(one, 2, 3, "", 70), Attempt(one, 4, 5, "250", 71))
    assert released(*attempts, copies=(4.5,)).faults == []
    assert released(*attempts, kills=[Kill(RELEASER, 70, 2.8, 2.9, 1)]).faults == []
    assert released(*attempts, kills=[Kill(HOP, 9, 2.8, 2.9, 1)]).faults == []
    assert len(released(*attempts).faults) == 1
    assert len(released(*attempts, kills=[Kill(RELEASER, 71, 2.8, 2.9, 1)]).faults) == 1


def test_a_spool_may_forget_only_what_a_kill_kept_it_from_noting() -> None:
    late = TWICE | {"attempts": [attempt(CLEAN, 1.0, 1.1, "250 2.0.0 Ok")], "spooled": True}
    assert judge(evidence(CLEAN, **late, kills=[Kill(GATEWAY, 7, 1.6, 1.7, 1)])).faults == []
    assert len(judge(evidence(CLEAN, **late, kills=[Kill(GATEWAY, 7, 5.6, 5.7, 1)])).faults) == 1
    assert len(judge(evidence(CLEAN, **late)).faults) == 1


# What it is made of


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.id)
def test_a_message_is_known_again_behind_our_fields(message: Message) -> None:
    seen = arrived(ADDED + b"X-DLP-Released: q-1\r\n\t5ea1\r\n" + message.content)
    assert (seen.id, seen.sha256, seen.whole, seen.released) == (message.id, message.sha256, True, "q-1")
    assert unstuffed(stuffed(message.content)) == message.content
    assert not arrived(message.content.replace(b" \r\n", b"\r\n") + b"\r\n").whole


def test_a_torn_record_of_the_hop_is_removed_at_its_next_start(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    whole = b'{"at": 1.5, "size": 3}\nabc{"at": 2.5, "size": 0}\n'
    journal.write_bytes(whole + b'{"at": 3.5, "size": 9}\nabc')
    assert list(records(journal)) == [Record(1.5, b"abc"), Record(2.5, b"")]
    with subprocess.Popen([sys.executable, "-m", "tests.loss.hop", "0", str(journal)]) as hop:
        eventually(lambda: journal.read_bytes() == whole)
        hop.kill()


def test_the_processes_of_a_tree_are_told_apart_and_killed_by_themselves() -> None:
    sleep = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)', *sys.argv[1:]])"
    with subprocess.Popen([sys.executable, "-c", sleep, "dlp.workers.zygote"]) as process:
        eventually(lambda: children(process.pid))
        roles = [one.role for one in tree(process.pid)]
        assert roles == [GATEWAY, ZYGOTE]
        below = list(tree(process.pid))[1]
        assert kill(below.pid, ZYGOTE, parent=os.getpid()) is None, "it is not ours, so it may be another's by now"
        done = kill(below.pid, ZYGOTE, parent=process.pid, in_flight=3)
        assert done is not None
        assert (done.role, done.in_flight) == (ZYGOTE, 3)
        assert process.wait(10) == 0
    assert kill(below.pid, ZYGOTE) is None
