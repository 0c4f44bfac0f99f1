"""The command as a whole, `check`, `run` and the signatures' bench."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dlp.cli import VERBS
from dlp.cli.common import print_json, printable
from tests.cli.conftest import Dlp
from tests.helpers.daemon import CHECKOUT, configure

META = 'title = "A name" title_zh = "代号" category = "code-names" confidence = 90'
RULE = 'rule bird {{ meta: {meta} strings: $a = "bluebird" nocase condition: $a }}'


# ---- The command line


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["--nope"],
        [],
        ["incidents"],
        ["incidents", "show"],
        ["incidents", "list", "--channel", "fax"],
        ["check", "x"],
    ],
)
def test_wrong_usage_is_64_and_told_on_stderr(dlp: Dlp, arguments: list[str]) -> None:
    done = dlp(*arguments)
    assert (done.status, done.out) == (64, "")
    assert "Traceback" not in done.err
    assert done.err


def test_version_and_help(dlp: Dlp) -> None:
    done = dlp("--version")
    assert (done.status, done.out.split()[0]) == (0, "dlp")
    helped = dlp("--help")
    assert helped.status == 0
    assert all(verb in helped.out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(dlp: Dlp, verb: str) -> None:
    done = dlp(verb, "--help")
    assert done.status == 0
    assert f"dlp {verb}" in done.out


def test_a_reader_that_goes_away_is_no_answer(config: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "dlp", "signatures", "list", "--json", "--config", str(config)]
    with os.fdopen(writer, "wb") as stdout:
        done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, cwd=CHECKOUT, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("verb", ["run", "check", "status"])
def test_a_bad_configuration_is_2_and_named(dlp: Dlp, tmp_path: Path, verb: str) -> None:
    (tmp_path / "bad.toml").write_text('polcy = "x"\n')
    done = dlp(verb, config=tmp_path / "bad.toml")
    assert done.status == 2
    assert f"{tmp_path}/bad.toml: polcy: unknown key (did you mean 'policy'?)" in done.err


def test_check_refuses_a_signature_without_meta(dlp: Dlp, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.yar").write_text("rule bare { condition: true }")
    done = dlp("check", config=configure(tmp_path, signatures=str(tmp_path / "own")))
    assert done.status == 2
    assert "bare" in done.err


# ---- dlp check


def test_check_of_a_good_configuration_is_0(dlp: Dlp, config: Path) -> None:
    done = dlp("check", config=config)
    assert done.status == 0, done.err
    assert "all is well" in done.out
    assert dlp("check", "--json", config=config).status == 0


def test_check_names_every_fault_with_file_key_and_remedy(dlp: Dlp, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = configure(tmp_path)
        port = taken.getsockname()[1]
        text = config.read_text("utf-8").replace('paths = ["share"]', 'paths = ["elsewhere"]')
        lines = [f'listen = ["127.0.0.1:{port}"]' if line.startswith("listen = [") else line for line in text.splitlines()]
        config.write_text("\n".join(lines), "utf-8")
        done = dlp("check", "--json", config=config)
    assert done.status == 2
    faults = {row["key"]: row for row in done.rows if row["severity"] == "fault"}
    assert set(faults) == {"share.paths", "mail.listen"}
    assert all(row["where"] and row["what"] and row["remedy"] for row in faults.values())
    assert str(port) in faults["mail.listen"]["what"]


# ---- dlp signatures


def test_the_shipped_signatures_are_listed_with_their_levels(dlp: Dlp, shared_config: Path) -> None:
    rows = {row["signature"]: row for row in dlp("signatures", "list", "--json", config=shared_config).rows}
    assert {"cn_id", "cn_uscc", "bank_card", "cn_mobile", "cn_passport", "iban", "us_ssn"} <= set(rows)
    assert all(row["level"] for row in rows.values())
    assert dlp("signatures", "list", config=shared_config).status == 0


def test_the_categories_of_information_are_listed_with_what_finds_them(dlp: Dlp, shared_config: Path) -> None:
    rows = dlp("signatures", "list", "--coverage", "--json", config=shared_config).rows
    assert [row["id"] for row in rows] == [f"C{number:02d}" for number in range(1, 70)]
    assert all(row["signatures"] or row["registers"] or row["policy"] or row["reason"] for row in rows)
    shown = dlp("signatures", "list", "--coverage", config=shared_config)
    assert shown.status == 0
    assert "C69" in shown.out


def own(folder: Path, rule: str, cases: str = "") -> Path:
    (folder / "own").mkdir()
    (folder / "own" / "a.yar").write_text(rule, "utf-8")
    if cases:
        (folder / "own" / "a.yml").write_text(cases, "utf-8")
    return folder / "own"


@pytest.mark.parametrize(
    ("rule", "cases", "lint", "test"),
    [
        ("rule bare { condition: true }", "", 1, 1),
        (RULE.format(meta=META), "", 0, 0),
        (RULE.format(meta=META), "bird:\n  hits: [a bluebird]\n  near_misses: [a bird]\n", 0, 0),
        (RULE.format(meta=META), "bird:\n  hits: [a sparrow]\n  near_misses: [a bird]\n", 0, 1),
        (RULE.format(meta=META), "bird: [", 1, 1),
        ("rule broken {", "", 1, 1),
    ],
    ids=["no meta", "no tests", "good", "failing", "unreadable cases", "no rule"],
)
def test_an_operators_folder_on_the_bench(
    dlp: Dlp, shared_config: Path, tmp_path: Path, rule: str, cases: str, lint: int, test: int
) -> None:
    folder = own(tmp_path, rule, cases)
    linted = dlp("signatures", "lint", folder, "--json", config=shared_config)
    assert linted.status == lint, linted.out
    kinds = {row["severity"] for row in linted.rows}
    assert kinds == ({"fault"} if lint else {"warning"} if not cases else set())
    assert dlp("signatures", "test", folder, config=shared_config).status == test
    assert dlp("signatures", "lint", folder, config=shared_config).status == lint


# ---- Printing


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb", "a\\x0ab"), ("\x1b[31m", "\\x1b[31m"), ("计划.docx", "计划.docx"), ("caf\udce9", "caf\\udce9"), ("\x9b", "\\x9b")],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_json_is_one_line_that_no_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": "\x7f\x9b\u202e\udce9\U000e0001", "b": "计划 📄\n"})
    out = capsys.readouterr().out
    assert out.removesuffix("\n").isprintable()
    assert out.startswith('{"a": "\\u007f\\u009b\\u202e\\udce9\\udb40\\udc01", "b": "')
    assert json.loads(out)["b"] == "计划 📄\n"


def test_what_is_not_for_a_terminal_has_no_colours(config: Path) -> None:
    """A real process whose output is a pipe, with TERM as on a terminal."""
    command = [sys.executable, "-m", "dlp", "signatures", "list", "--config", str(config)]
    environment = {**os.environ, "TERM": "xterm-256color"}
    done = subprocess.run(command, capture_output=True, env=environment, cwd=CHECKOUT, timeout=60, check=True)
    assert b"\x1b" not in done.stdout + done.stderr
