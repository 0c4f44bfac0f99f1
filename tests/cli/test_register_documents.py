"""`dlp register documents` and `public`: what is declared is found by `dlp scan`, is listed, and is removed."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from dlp.config import basis, load_configuration
from dlp.instance import now
from tests.cli.conftest import Dlp
from tests.detect.test_fingerprints import prose
from tests.helpers.documents import a_docx

OPTIONS = ("--level", "secret", "--owner", "法务部")
TEXT = prose(1, 2000)


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    (folder / "more").mkdir(parents=True)
    (folder / "plan.txt").write_text(TEXT)
    (folder / "more" / "note.txt").write_text("a short note")
    return folder


@pytest.fixture
def outgoing(tmp_path: Path) -> Path:
    folder = tmp_path / "outgoing"
    folder.mkdir()
    (folder / "part.txt").write_text(prose(2, 300) + TEXT[700:1200] + prose(3, 300))
    (folder / "note.bin").write_text("a short note")
    (folder / "other.txt").write_text(prose(4, 2000))
    return folder


def found(dlp: Dlp, config: Path, folder: Path) -> dict[str, str]:
    """By file name, how what is found in it matches a declared document."""
    rows = dlp("scan", folder, "--json", config=config).rows
    hits = [(row["path"], one) for row in rows for one in row["findings"] if one["signature"] == "declared_document"]
    return {Path(path).name: one["facts"]["match"] for path, one in hits}


def test_declared_documents_are_found_and_no_more_once_they_are_removed(
    dlp: Dlp, config: Path, papers: Path, outgoing: Path
) -> None:
    before = basis(load_configuration(config))
    done = dlp("register", "documents", "add", papers, *OPTIONS, "--json", config=config)
    assert done.status == 0, done.err
    rows = {Path(row["path"]).name: row for row in done.rows}
    assert rows["plan.txt"]["characters"] == 2000 and rows["plan.txt"]["note"] == ""
    assert "10 of the 300 characters" in rows["note.txt"]["note"]
    assert basis(load_configuration(config)) != before
    assert found(dlp, config, outgoing) == {"part.txt": "part", "note.bin": "file"}
    again = dlp("register", "documents", "add", papers, *OPTIONS, config=config)
    assert again.status == 0 and again.out.count("declared already as") == 2
    listed = dlp("register", "documents", "list", "--json", config=config).rows
    assert {(row["title"], row["level"], row["owner"], row["in_force"]) for row in listed} == {
        ("plan.txt", "secret", "法务部", True),
        ("note.txt", "secret", "法务部", True),
    }
    assert dlp("register", "documents", "remove", rows["plan.txt"]["id"], config=config).status == 0
    assert found(dlp, config, outgoing) == {"note.bin": "file"}
    shown = dlp("register", "documents", "list", config=config).out
    assert "note.txt" in shown and "plan.txt" not in shown
    log = (load_configuration(config).state / "audit" / "audit.jsonl").read_text()
    acts = [json.loads(line) for line in log.splitlines()]
    assert [act["event"] for act in acts] == ["register-added", "register-added", "register-removed"]
    assert acts[2]["facts"]["entry"] == rows["plan.txt"]["id"]
    assert "plan.txt" not in log


def test_a_document_is_known_in_another_format(dlp: Dlp, config: Path, papers: Path, tmp_path: Path) -> None:
    (papers / "plan.txt").unlink()
    (papers / "plan.docx").write_bytes(a_docx([TEXT]))
    assert dlp("register", "documents", "add", papers / "plan.docx", *OPTIONS, config=config).status == 0
    out = tmp_path / "out"
    out.mkdir()
    (out / "excerpt.html").write_text(f"<p>{TEXT[100:600]}</p>")
    assert found(dlp, config, out) == {"excerpt.html": "part"}


def test_public_documents_take_their_text_out(dlp: Dlp, config: Path, papers: Path, outgoing: Path, tmp_path: Path) -> None:
    assert dlp("register", "documents", "add", papers, *OPTIONS, config=config).status == 0
    assert "no public ones" in dlp("check", config=config).out
    law = tmp_path / "law.txt"
    law.write_text(TEXT)
    done = dlp("register", "public", "add", law, "--title", "a law", "--json", config=config)
    assert done.status == 0, done.err
    assert "no public ones" not in dlp("check", config=config).out
    assert found(dlp, config, outgoing) == {"note.bin": "file"}
    (row,) = dlp("register", "public", "list", "--json", config=config).rows
    assert (row["id"], row["title"], row["level"]) == (done.rows[0]["id"], "a law", None)
    assert dlp("register", "public", "remove", row["id"], config=config).status == 0
    assert found(dlp, config, outgoing) == {"part.txt": "part", "note.bin": "file"}


def test_what_cannot_be_declared_is_told_and_the_rest_is_declared(dlp: Dlp, config: Path, papers: Path) -> None:
    (papers / "empty.txt").touch()
    os.mkfifo(papers / "pipe")
    done = dlp("register", "documents", "add", papers, *OPTIONS, config=config)
    assert done.status == 1
    assert "empty.txt: is empty" in done.err and "pipe: not a regular file" in done.err
    assert done.out.count("doc-") == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--level", "cosmic", "--owner", "a"), "--level"),
        (("--level", "secret", "--owner", " "), "--owner"),
        (("--level", "secret", "--owner", "a", "--expires", "soon"), "2030-12-31"),
        (("--level", "secret", "--owner", "a", "--expires", "2020-01-01"), "is over"),
    ],
)
def test_wrong_options_declare_nothing(dlp: Dlp, config: Path, papers: Path, options: tuple[str, ...], said: str) -> None:
    done = dlp("register", "documents", "add", papers, *options, config=config)
    assert (done.status, said in done.err) == (64, True)
    assert not (load_configuration(config).state / "register").exists()


def test_a_path_or_an_id_that_is_not_there(dlp: Dlp, config: Path, tmp_path: Path) -> None:
    assert dlp("register", "documents", "add", tmp_path / "none", *OPTIONS, config=config).status == 2
    done = dlp("register", "documents", "remove", "doc-none", config=config)
    assert done.status == 1 and "dlp register documents list" in done.err


def test_the_last_day_counts(dlp: Dlp, config: Path, papers: Path, outgoing: Path) -> None:
    today = now().astimezone().date()
    done = dlp("register", "documents", "add", papers, *OPTIONS, "--expires", today, config=config)
    assert done.status == 0, done.err
    assert found(dlp, config, outgoing) == {"part.txt": "part", "note.bin": "file"}
    row = dlp("register", "documents", "list", "--json", config=config).rows[0]
    assert row["expires"].startswith(str(today)) or row["expires"].startswith(str(today + timedelta(days=1)))


def test_a_damaged_register_is_a_fault_of_check_and_scan(dlp: Dlp, config: Path, papers: Path) -> None:
    assert dlp("register", "documents", "add", papers, *OPTIONS, config=config).status == 0
    next((load_configuration(config).state / "register" / "documents").glob("delta_hash-*")).write_bytes(b"x")
    checked, scanned = dlp("check", config=config), dlp("scan", papers, config=config)
    assert (checked.status, scanned.status) == (2, 64)
    assert "register/documents: is damaged" in checked.err and "register/documents: is damaged" in scanned.err


def test_an_entry_left_by_a_crash_is_told_and_can_be_removed(
    dlp: Dlp, config: Path, papers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr("dlp.cli.register_documents.change", crash)
        assert dlp("register", "documents", "add", papers / "plan.txt", *OPTIONS, config=config).status == 9
    (row,) = dlp("register", "documents", "list", "--json", config=config).rows
    assert row["in_force"] is False
    assert "not in force" in dlp("register", "documents", "list", config=config).out
    assert dlp("register", "documents", "add", papers / "plan.txt", *OPTIONS, config=config).status == 0
    assert dlp("register", "documents", "remove", row["id"], config=config).status == 0
    assert [one["in_force"] for one in dlp("register", "documents", "list", "--json", config=config).rows] == [True]


def test_a_policy_may_name_what_registers_find(dlp: Dlp, config: Path) -> None:
    policy = load_configuration(config).policy
    assert "declared_document" in dlp("signatures", "list", config=config).out
    text = f"{policy.read_text()}\n[[rule]]\nname = 'd'\nwhen = {{ signature = 'declared_*' }}\nthen = 'block'\n"
    own = config.parent / "policy-of-its-own.toml"
    own.write_text(text)
    config.write_text(config.read_text().replace(str(policy), str(own)))
    assert load_configuration(config).policy == own
    assert "declared_" not in dlp("check", config=config).out
