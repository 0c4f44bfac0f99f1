"""`dlp signatures replay`, `report` and `test`: what a change would change, and how right the signatures have been."""

import json
from pathlib import Path

import pytest

from dlp.config import load_configuration
from dlp.instance import now
from dlp.model import Channel, Envelope, Finding, Inspection, Mode
from dlp.store.stores import Stores
from tests.cli.conftest import Dlp
from tests.detect.rules import rule, written
from tests.helpers.daemon import configure
from tests.store.items import INSPECTION, VERDICT, an_item

META = 'title = "Bird papers" title_zh = "鸟类资料" level = "secret" confidence = 90'
MESSAGE = b"From: a@example.com\r\nTo: b@example.net\r\nSubject: x\r\n\r\nthe bluebird flies\r\n"
CANARY = "flies at noon"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of signatures in force, beside it a working copy and documents."""
    for name in ("own", "copy", "papers"):
        (tmp_path / name).mkdir()
    written(tmp_path / "own", rule("bird", '$word = "bluebird"', meta=META))
    written(tmp_path / "copy", rule("bird", '$word = "bluebird"', meta=META))
    (tmp_path / "papers" / "a.txt").write_text(f"A bluebird {CANARY}\n")
    (tmp_path / "papers" / "b.txt").write_text("A redbird.\n")
    return configure(tmp_path, signatures=str(tmp_path / "own"), extra="[workers]\ncount = 1\n")


def test_an_unchanged_copy_changes_nothing(dlp: Dlp, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = dlp("signatures", "replay", own.parent / "papers", "--with", own.parent / "copy", config=own)
    assert done.status == 0, done.err
    assert "2 items, 0 would change, 0 could not be read." in done.out
    assert "No signature would find anything else." in done.out
    assert str(own.parent / "copy") in done.err
    monkeypatch.chdir(own.parent)
    assert dlp("signatures", "replay", "papers", "--with", "copy", config=own).status == 0, "relative paths are from here"


def test_what_would_be_found_lost_and_done(dlp: Dlp, own: Path) -> None:
    written(own.parent / "copy", rule("robin", '$word = "redbird"', meta=META) + rule("bird", '$word = "no such"', meta=META))
    replay = ("signatures", "replay", own.parent / "papers", "--with", own.parent / "copy")
    done = dlp(*replay, "--json", config=own)
    assert done.status == 1, done.err
    a, b, *rest = done.rows
    assert a["item"] == str(own.parent / "papers" / "a.txt")
    assert (a["action"], a["level"]) == ({"before": "block", "after": "allow"}, {"before": "secret", "after": None})
    assert a["changes"] == [
        {
            "signature": "bird",
            "trail": [],
            "kind": "lost",
            "before": [{"level": "secret", "confidence": 90, "count": 1, "zone": "body", "mode": "enforce"}],
            "after": [],
        }
    ]
    assert (b["action"], b["changes"][0]["kind"]) == ({"before": "allow", "after": "block"}, "found")
    assert rest[:2] == [
        {"signature": "bird", "found": 0, "lost": 1, "changed": 0},
        {"signature": "robin", "found": 1, "lost": 0, "changed": 0},
    ]
    assert (rest[2]["items"], rest[2]["changed"], rest[2]["unread"]) == (2, 2, 0)
    told = dlp(*replay, config=own)
    assert told.status == 1
    for said in ("block → allow", "(milder)", "allow → block", "(more severe)", "2 items, 2 would change"):
        assert said in told.out
    assert CANARY not in done.out + told.out
    back = dlp(*replay, "--against", own.parent / "copy", config=own)
    assert back.status == 0, "the same set on both sides"


def test_shadow_on_trial_changes_the_action(dlp: Dlp, own: Path) -> None:
    written(own.parent / "copy", rule("bird", '$word = "bluebird"', meta=META + ' mode = "shadow"'))
    a = dlp("signatures", "replay", own.parent / "papers", "--with", own.parent / "copy", "--json", config=own).rows[0]
    assert a["action"] == {"before": "block", "after": "allow"}
    assert [state["mode"] for side in ("before", "after") for state in a["changes"][0][side]] == ["enforce", "shadow"]


def test_originals_in_custody_are_replayed_and_every_look_is_on_record(dlp: Dlp, own: Path) -> None:
    stores = Stores.open(load_configuration(own).state, clock=now)
    envelope = Envelope(peer="192.0.2.1:25", sender="a@example.com", recipients=("b@example.net",))
    held = []
    try:
        for _ in range(2):
            with (item := an_item(MESSAGE, envelope, Channel.MAIL)).blob:
                incident = stores.incidents.open(item, Inspection(), VERDICT)
                held.append(stores.quarantine.store(item, incident, VERDICT, {}))
        stores.quarantine.purge(held[1])
    finally:
        stores.close()
    written(own.parent / "copy", rule("bird", '$word = "no such"', meta=META))
    done = dlp("signatures", "replay", "--kept", "--with", own.parent / "copy", "--json", config=own)
    assert done.status == 1, done.err
    one, *_, total = done.rows
    assert (one["item"], one["changes"][0]["kind"], total["items"]) == (held[0], "lost", 1)
    log = (own.parent / "state" / "audit" / "audit.jsonl").read_text()
    looks = [record["facts"] for record in map(json.loads, log.splitlines()) if record["event"] == "original-read"]
    assert [(look["held"], look["purpose"]) for look in looks] == [(held[0], "replay")]
    sealed = next(path for path in (own.parent / "state" / "quarantine").rglob("*") if path.is_file())
    sealed.chmod(0o600)
    sealed.write_bytes(sealed.read_bytes()[:-1])
    broken = dlp("signatures", "replay", "--kept", "--with", own.parent / "own", config=own)
    assert broken.status == 1, "what could not be read is not unchanged"
    assert held[0] in broken.err


@pytest.mark.parametrize("arguments", [("--kept",), ("--with", "x"), ("nowhere", "--with", "x")])
def test_what_cannot_be_replayed_is_refused(dlp: Dlp, own: Path, arguments: tuple[str, ...]) -> None:
    assert dlp("signatures", "replay", *arguments, config=own).status in (2, 64)


def test_precision_by_what_people_said(dlp: Dlp, own: Path) -> None:
    stores = Stores.open(load_configuration(own).state, clock=now)
    try:
        ids = []
        for _ in range(4):
            with (item := an_item()).blob:
                ids.append(stores.incidents.open(item, INSPECTION, VERDICT))
    finally:
        stores.close()
    for incident, said in zip(ids, (["--false-positive", "--signature", "cn_id"], [], ["--outcome", "other"]), strict=False):
        assert dlp("incidents", "close", incident, *said, config=own).status == 0
    first, second = dlp("signatures", "report", "--json", config=own).rows
    assert (first["signature"], first["mode"]) == ("cn_id", "enforce")
    assert (first["findings"], first["reviewed"], first["false_positives"], first["precision"]) == (4, 2, 1, 0.5)
    assert (second["mode"], second["false_positives"], second["precision"]) == ("not in force", 0, 1.0)
    told = dlp("signatures", "report", config=own).out
    assert "50.0 %" in told
    assert "not in force" in told


def test_a_finding_in_shadow_is_shown_as_such_in_its_incident(dlp: Dlp, own: Path) -> None:
    stores = Stores.open(load_configuration(own).state, clock=now)
    try:
        with (item := an_item()).blob:
            found = Inspection(findings=(Finding(signature="bird", mode=Mode.SHADOW), Finding(signature="cn_id")))
            incident = stores.incidents.open(item, found, VERDICT)
    finally:
        stores.close()
    told = dlp("incidents", "show", incident, config=own).out
    (line,) = [line.split() for line in told.splitlines() if line.startswith("bird")]
    assert "shadow" in line
    assert "Bird papers: in the item itself (body); 1 match; confidence 100; counted, not acted on (shadow)." in told
    assert "鸟类资料：在正文；1 处不同的匹配；可信度 100；只计数，不处置（shadow）。" in told


def test_the_report_of_nothing(dlp: Dlp, own: Path) -> None:
    assert "No findings on record." in dlp("signatures", "report", config=own).out


def test_cases_are_counted_by_signature(dlp: Dlp, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(own.parent / "own", "bird:\n  hits: [a bluebird, a redbird]\n  near_misses: [blue birds]\n", "rules.yml")
    done = dlp("signatures", "test", own.parent / "own", config=own)
    assert done.status == 1
    (row,) = [line.split() for line in done.out.splitlines() if line.startswith("bird")]
    assert row == ["bird", "2", "1", "1"]
    assert "3 cases, 1 failed." in done.out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in dlp("signatures", "test", own.parent / "own", config=own).out
