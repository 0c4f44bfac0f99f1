"""A false alarm becomes a near miss, and says no more than it has to."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dlp.config import load_configuration
from dlp.instance import now
from dlp.model import Finding, Inspection
from dlp.store.stores import Stores
from tests.cli.conftest import Dlp
from tests.detect.rules import rule, written
from tests.helpers.daemon import configure
from tests.helpers.documents import a_docx
from tests.store.items import VERDICT, an_item

META = 'title = "Bird papers" title_zh = "鸟类资料" level = "secret" confidence = 90'
SECRET = "Klondike"
PAPER = a_docx([f"{SECRET} wants 12 pictures of a bluebird for album 48213377, write to {SECRET}@example.com."])
HEAD = "head@example.com"
Take = Callable[..., str]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    written(
        tmp_path / "own",
        rule("bird", '$word = "bluebird"', meta=META) + rule("album", '$word = "48213377"', meta=META),
        "birds.yar",
    )
    return configure(tmp_path, signatures=str(tmp_path / "own"), extra="[workers]\ncount = 1\n")


@pytest.fixture
def take(own: Path) -> Take:
    """Put a document into custody for what signatures found, and return its incident."""

    def taken(*signatures: str, content: bytes = PAPER, approve_by: tuple[str, ...] = ()) -> str:
        verdict = replace(VERDICT, approve_by=approve_by)
        stores = Stores.open(load_configuration(own).state, clock=now)
        try:
            with (item := an_item(content)).blob:
                found = Inspection(findings=tuple(Finding(signature=name) for name in signatures))
                incident = stores.incidents.open(item, found, verdict)
                stores.incidents.close(incident, held=stores.quarantine.store(item, incident, verdict, {}))
        finally:
            stores.close()
        return incident

    return taken


def case(own: Path) -> str:
    return (own.parent / "own" / "birds.yml").read_text("utf-8")


def test_only_what_the_finding_hangs_on_is_readable(dlp: Dlp, own: Path, take: Take) -> None:
    incident = take("bird")
    to = own.parent / "own" / "birds.yml"
    done = dlp("signatures", "near-miss", incident, "--to", to, config=own)
    assert done.status == 0, done.err
    assert "bird.near_misses[1]" in done.out
    text = case(own)
    assert text.startswith("bird:\n  near_misses:\n    - ")
    assert "Xxxxxxxx xxxxx " in text
    assert "bluebird" in text
    for secret in (SECRET, "pictures", "48213377", "example"):
        assert secret not in text + done.out
    tried = dlp("signatures", "test", own.parent / "own", config=own)
    assert tried.status == 1, "it is a near miss to be mended"
    assert "bird.near_misses[1]: was found, and must not be" in tried.err
    log = (own.parent / "state" / "audit" / "audit.jsonl").read_text()
    (look,) = [one for one in map(json.loads, log.splitlines()) if one["event"] == "original-read"]
    assert (look["facts"]["incident"], look["facts"]["purpose"]) == (incident, "near-miss")


def test_with_passage_the_words_stay_and_the_numbers_go(dlp: Dlp, own: Path, take: Take) -> None:
    to = own.parent / "own" / "birds.yml"
    to.write_text("# ours\nbird:\n  hits: [bluebird]\n  near_misses:\n    - a bird  # kept\n", "utf-8")
    done = dlp("signatures", "near-miss", take("bird"), "--passage", "--to", to, config=own)
    assert done.status == 0, done.err
    text = case(own)
    assert f'- "{SECRET} wants ' in text
    assert "pictures of a bluebird for album" in text
    assert "48213377" not in text
    assert "@example.com" not in text
    assert "# ours\n" in text
    assert "    - a bird  # kept\n" in text


def test_a_number_that_the_finding_hangs_on_needs_the_operators_word(dlp: Dlp, own: Path, take: Take) -> None:
    to = own.parent / "own" / "birds.yml"
    incident = take("bird", "album")
    which = dlp("signatures", "near-miss", incident, "--to", to, config=own)
    assert which.status == 1
    assert "album, bird" in which.err
    refused = dlp("signatures", "near-miss", incident, "--signature", "album", "--to", to, config=own)
    assert refused.status == 1
    assert "--passage" in refused.err
    assert not to.exists()
    assert dlp("incidents", "close", incident, "--false-positive", "--signature", "album", config=own).status == 0
    done = dlp("signatures", "near-miss", incident, "--passage", "--to", to, config=own)
    assert done.status == 0, done.err
    assert "1 numbers or addresses stand in it as they were" in done.out
    assert "48213377" in case(own)


def test_without_the_rules_approver_the_words_stay_in_custody(dlp: Dlp, own: Path, take: Take) -> None:
    (own.parent / "people.toml").write_text(
        f'roles = ["head"]\n[[person]]\naddress = "{HEAD}"\nname = "A head"\nroles = ["head"]\nstatus = "staff"\n', "utf-8"
    )
    to = own.parent / "own" / "birds.yml"
    incident = take("bird", approve_by=("head",))
    refused = dlp("signatures", "near-miss", incident, "--passage", "--to", to, config=own)
    assert refused.status == 1
    assert HEAD in refused.err
    assert not to.exists()
    assert dlp("signatures", "near-miss", incident, "--passage", "--approved-by", HEAD, "--to", to, config=own).status == 0


@pytest.mark.parametrize(
    ("found", "name", "content", "said"),
    [
        ("bird", "cards.yml", PAPER, "birds.yml"),
        ("gone", "birds.yml", PAPER, "no signature in force"),
        ("bird", "birds.yml", a_docx(["nothing of the kind"]), "not to be narrowed"),
    ],
)
def test_what_cannot_become_a_case_is_told(
    dlp: Dlp, own: Path, take: Take, found: str, name: str, content: bytes, said: str
) -> None:
    done = dlp("signatures", "near-miss", take(found, content=content), "--to", own.parent / "own" / name, config=own)
    assert done.status == 1
    assert said in done.err
    assert not (own.parent / "own" / name).exists()


def test_an_incident_that_is_none(dlp: Dlp, own: Path) -> None:
    assert dlp("signatures", "near-miss", "inc-none", "--to", own.parent / "birds.yml", config=own).status == 1


def test_a_file_that_would_not_read_is_left_alone(dlp: Dlp, own: Path, take: Take) -> None:
    to = own.parent / "own" / "birds.yml"
    to.write_text("bird:\n  near_misses: [a bird]\n", "utf-8")
    done = dlp("signatures", "near-miss", take("bird"), "--to", to, config=own)
    assert done.status == 1
    assert "block form" in done.err
    assert case(own) == "bird:\n  near_misses: [a bird]\n"
