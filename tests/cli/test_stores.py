"""`dlp incidents`, `quarantine`, `audit` and `status` on a state with something in it."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dlp.config import load_configuration
from dlp.instance import now
from dlp.model import Finding, Inspection
from dlp.store.stores import Stores
from tests.cli.conftest import Dlp
from tests.cli.contract import HELD, INCIDENT, holds
from tests.store.items import INSPECTION, VERDICT, a_file, an_envelope, an_item

CONTENT = b"Q3 figures: nobody else may read them"
SUBJECT = "quarterly figures, final"
ATTRIBUTES = {"mode": 0o640, "uid": os.getuid(), "gid": os.getgid(), "atime_ns": 1, "mtime_ns": 1_600_000_000_000_000_000}
HEAD = "head@example.com"
PEOPLE = f"""
roles = ["department-head"]
[[person]]
address = "{HEAD}"
name = "A head"
roles = ["department-head"]
status = "staff"
"""
SILENT = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class House:
    """A configuration, and what its state holds: a file that was taken, and a message that is open."""

    config: Path
    file: str
    mail: str
    held: str
    held_mail: str
    path: Path


@pytest.fixture
def house(config: Path, tmp_path: Path) -> Iterator[House]:
    (tmp_path / "people.toml").write_text(PEOPLE, "utf-8")
    place = tmp_path / "share" / "plan [bold]\x1b[31m\udce9.docx"
    stores = Stores.open(load_configuration(config).state, clock=now)
    try:
        with (taken := an_item(CONTENT, a_file(str(place)))).blob:
            file = stores.incidents.open(taken, INSPECTION, VERDICT)
            held = stores.quarantine.store(taken, file, VERDICT, ATTRIBUTES)
        stores.incidents.close(file, held=held)
        with (sent := an_item(CONTENT, an_envelope(SUBJECT))).blob:
            free = replace(VERDICT, approve_by=())
            mail = stores.incidents.open(sent, INSPECTION, free)
            held_mail = stores.quarantine.store(sent, mail, free, {})
        stores.incidents.interrupted()
    finally:
        stores.close()
    yield House(config, file, mail, held, held_mail, place)


def test_incidents_are_listed_and_shown_as_the_contract_says(dlp: Dlp, house: House) -> None:
    rows = dlp("incidents", "list", "--json", config=house.config).rows
    assert [row["id"] for row in rows] == [house.file, house.mail]
    for row in rows:
        holds(row, INCIDENT)
        (shown,) = dlp("incidents", "show", row["id"], "--json", config=house.config).rows
        assert shown == row
    file, mail = rows
    assert (file["state"], file["enforced"], file["quarantine"]) == ("closed", True, house.held)
    assert file["origin"]["path"] == str(house.path)
    assert (mail["state"], mail["enforced"], mail["quarantine"], mail["closed"]) == ("interrupted", False, house.held_mail, None)
    assert mail["origin"]["sender"] == "a\udcff@example.com"
    assert mail["origin"]["subject"] != SUBJECT


def test_an_incident_says_that_its_content_bears_no_mark(dlp: Dlp, config: Path, tmp_path: Path) -> None:
    stores = Stores.open(load_configuration(config).state, clock=now)
    found = Inspection(findings=(Finding(signature="c", level="secret", facts={"term": "1年"}),))
    try:
        with (taken := an_item(CONTENT, a_file(str(tmp_path / "a.docx")))).blob:
            identity = stores.incidents.open(taken, found, VERDICT)
    finally:
        stores.close()
    shown = " ".join(dlp("incidents", "show", identity, config=config).out.split())
    assert "marking 内容达到“机密”级但未标密" in shown
    assert "保密期限：1年" in shown and "term: 1年" in shown, "and what a finding tells"


def test_incidents_can_be_filtered(dlp: Dlp, house: House) -> None:
    for arguments in (("--state", "interrupted"), ("--channel", "mail")):
        assert [row["id"] for row in dlp("incidents", "list", "--json", *arguments, config=house.config).rows] == [house.mail]


@pytest.mark.parametrize(
    "arguments", [("incidents", "list"), ("incidents", "show", "file"), ("quarantine", "list"), ("quarantine", "show", "held")]
)
def test_what_people_read_is_safe_and_holds_no_content(
    dlp: Dlp, house: House, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    named = [getattr(house, one, one) if one in ("file", "held") else one for one in arguments]
    done = dlp(*named, config=house.config)
    assert done.status == 0
    assert not SILENT.search(done.out + done.err)
    assert "[bold]" in "".join(done.out.split())
    assert "figures" not in done.out + done.err
    monkeypatch.setenv("NO_COLOR", "1")
    assert dlp(*named, config=house.config).out == done.out


def test_a_persons_judgement_is_recorded_and_closes(dlp: Dlp, house: House) -> None:
    assert dlp("incidents", "close", house.mail, "--outcome", "false-positive", config=house.config).status == 0
    (row,) = dlp("incidents", "show", house.mail, "--json", config=house.config).rows
    assert (row["state"], row["review"]) == ("closed", "false-positive")
    assert row["reviewed_by"]
    assert dlp("incidents", "close", house.mail, "--outcome", "maybe", config=house.config).status == 64


def test_false_alarms_are_marked_by_signature(dlp: Dlp, house: House) -> None:
    def marked(incident: str) -> tuple[str, list[str | None]]:
        (row,) = dlp("incidents", "show", incident, "--json", config=house.config).rows
        return row["review"], [one["facts"].get("review") for one in row["findings"]]

    assert dlp("incidents", "close", house.mail, "--false-positive", config=house.config).status == 0
    assert marked(house.mail) == ("false-positive", ["false-positive"] * 2)
    assert "false-positive" in dlp("incidents", "list", config=house.config).out
    one = ("incidents", "close", house.file, "--false-positive", "--signature")
    assert dlp(*one, "cn_id", config=house.config).status == 0
    assert marked(house.file) == ("confirmed", ["false-positive", None])
    assert "false-positive" in dlp("incidents", "show", house.file, config=house.config).out
    wrong = dlp(*one, "cn_uid", config=house.config)
    assert wrong.status == 1
    assert "cn_id" in wrong.err, "what was found there is named"
    assert dlp("incidents", "close", house.file, config=house.config).status == 0
    assert marked(house.file) == ("confirmed", [None, None])


@pytest.mark.parametrize(
    "arguments", [("--outcome", "confirmed", "--false-positive"), ("--outcome", "other", "--signature", "cn_id")]
)
def test_what_contradicts_itself_is_wrong_usage(dlp: Dlp, house: House, arguments: tuple[str, ...]) -> None:
    assert dlp("incidents", "close", house.file, *arguments, config=house.config).status == 64


def test_an_incident_says_why_in_the_profiles_language_and_in_english(dlp: Dlp, house: House) -> None:
    (row,) = dlp("incidents", "show", house.file, "--json", config=house.config).rows
    why = row["findings"][0]["why"]
    assert list(why) == ["zh", "en"]
    assert "a.zip / b.docx" in why["en"]
    assert "a.zip / b.docx" in why["zh"]
    assert "保密期限：1年" in why["zh"]
    assert why["en"] in " ".join(dlp("incidents", "show", house.file, config=house.config).out.split("\n"))


@pytest.mark.parametrize(
    "arguments",
    [("incidents", "show"), ("incidents", "close"), ("quarantine", "show"), ("quarantine", "release"), ("quarantine", "purge")],
)
def test_an_id_that_names_nothing_is_told(dlp: Dlp, house: House, arguments: tuple[str, ...]) -> None:
    done = dlp(*arguments, "inc-nothing", config=house.config)
    assert (done.status, done.out) == (1, "")
    assert "inc-nothing" in done.err
    assert f"dlp {arguments[0]} list" in done.err


def test_quarantine_is_listed_and_shown_as_the_contract_says(dlp: Dlp, house: House) -> None:
    rows = dlp("quarantine", "list", "--json", config=house.config).rows
    assert [row["id"] for row in rows] == [house.held, house.held_mail]
    for row in rows:
        holds(row, HELD)
        assert dlp("quarantine", "show", row["id"], "--json", config=house.config).rows == [row]
    assert (rows[0]["state"], rows[0]["size"], rows[0]["approve_by"]) == ("held", len(CONTENT), ["department-head"])
    assert dlp("quarantine", "show", house.file, "--json", config=house.config).rows == [rows[0]], "by the incident's id too"
    assert dlp("quarantine", "list", "--state", "purged", "--json", config=house.config).rows == []


def test_an_original_is_released_to_a_file_once(dlp: Dlp, house: House, tmp_path: Path) -> None:
    release = ("quarantine", "release", house.held, "--approved-by", HEAD, "--to")
    target = tmp_path / "back.docx"
    done = dlp(*release, target, "--reason", "approved", config=house.config)
    assert done.status == 0, done.err
    assert target.read_bytes() == CONTENT
    assert target.stat().st_mode & 0o777 == 0o640
    assert dlp(*release, tmp_path / "second", config=house.config).status == 1
    assert not (tmp_path / "second").exists()
    (row,) = dlp("quarantine", "show", house.held, "--json", config=house.config).rows
    assert row["state"] == "released"


@pytest.mark.parametrize("approver", [(), ("--approved-by", "somebody@example.com")])
def test_without_the_rules_approver_nothing_is_released(
    dlp: Dlp, house: House, tmp_path: Path, approver: tuple[str, ...]
) -> None:
    done = dlp("quarantine", "release", house.held, "--to", tmp_path / "x", *approver, config=house.config)
    assert done.status == 1
    assert HEAD in done.err, "who may approve is told"
    assert not (tmp_path / "x").exists()


def test_a_release_overwrites_nothing_and_leaves_the_original_held(dlp: Dlp, house: House, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    release = ("quarantine", "release", house.held, "--approved-by", HEAD, "--to")
    assert dlp(*release, tmp_path / "taken", config=house.config).status == 1
    assert (tmp_path / "taken").read_text() == "mine"
    assert dlp("quarantine", "show", house.held, "--json", config=house.config).rows[0]["state"] == "held"


def test_a_message_without_its_smtp_parameters_is_not_sent_and_stays_held(dlp: Dlp, house: House) -> None:
    assert dlp("quarantine", "release", house.held_mail, config=house.config).status == 1
    assert dlp("quarantine", "show", house.held_mail, "--json", config=house.config).rows[0]["state"] == "held"


def test_a_purge_destroys_the_original_and_keeps_the_record(dlp: Dlp, house: House, tmp_path: Path) -> None:
    assert dlp("quarantine", "purge", house.held, "--yes", "--reason", "retention", config=house.config).status == 0
    assert dlp("quarantine", "show", house.held, "--json", config=house.config).rows[0]["state"] == "purged"
    release = ("quarantine", "release", house.held, "--approved-by", HEAD, "--to", tmp_path / "x")
    assert dlp(*release, config=house.config).status == 1
    assert not (tmp_path / "x").exists()


def test_verify_finds_an_original_that_was_tampered_with(dlp: Dlp, house: House) -> None:
    assert dlp("quarantine", "verify", config=house.config).status == 0
    sealed = [path for path in (house.config.parent / "state" / "quarantine").rglob("*") if path.is_file()]
    content = bytearray(sealed[0].read_bytes())
    content[-1] ^= 1
    sealed[0].chmod(0o600)
    sealed[0].write_bytes(content)
    done = dlp("quarantine", "verify", "--json", config=house.config)
    assert done.status == 1
    assert sorted(row["problem"] is None for row in done.rows) == [False, True]


def test_every_act_is_on_record_and_an_edit_of_the_record_is_found(dlp: Dlp, house: House, tmp_path: Path) -> None:
    reason = ("--approved-by", HEAD, "--reason", "approved by the head")
    assert dlp("quarantine", "release", house.held, "--to", tmp_path / "x", *reason, config=house.config).status == 0
    assert dlp("audit", "verify", config=house.config).status == 0
    log = house.config.parent / "state" / "audit" / "audit.jsonl"
    text = log.read_text("utf-8")
    assert '"release-requested"' in text
    log.write_text(text.replace("approved by the head", "approved by the boss"), "utf-8")
    done = dlp("audit", "verify", config=house.config)
    assert done.status == 1
    assert "line 1" in done.err
    (report,) = dlp("audit", "verify", "--json", config=house.config).rows
    assert [problem["line"] for problem in report["problems"]][:1] == [1]


def test_status_without_a_daemon_is_1(dlp: Dlp, house: House) -> None:
    done = dlp("status", "--json", config=house.config)
    assert done.status == 1
    (facts,) = done.rows
    assert (facts["running"], facts["held"], facts["incidents_open"]) == (False, 2, 1)
