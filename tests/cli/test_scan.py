"""`dlp scan`: its exit statuses, what it prints of whom, and what it does not touch."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dlp.cli.scan import tree
from dlp.extract import ocr
from tests.cli.conftest import Dlp
from tests.cli.contract import SCAN, holds
from tests.helpers.archives import written, zip_aes
from tests.helpers.daemon import CHECKOUT, configure
from tests.helpers.documents import a_docx, a_pdf
from tests.helpers.ocr import a_picture

PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(57)
"""The head of a program for Linux (elf(5)), which no format reads."""
ESCAPE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
"""What a terminal might obey: every control character but the line feed."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tree with a marked document, an ordinary text and something unreadable, one folder each."""
    for name, file, content in (
        ("marked", "plan.docx", a_docx(["机密★10年", "二〇二六年生产计划"])),
        ("plain", "hello.txt", b"hello\n"),
        ("unread", "program", PROGRAM),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize(
    ("names", "status"),
    [(["plain"], 0), (["marked"], 1), (["unread"], 2), (["unread", "plain"], 2), ([""], 1)],
)
def test_the_exit_status_says_what_was_found(dlp: Dlp, shared_config: Path, folder: Path, names: list[str], status: int) -> None:
    assert dlp("scan", *(folder / name for name in names), config=shared_config).status == status


def test_json_holds_the_contract(dlp: Dlp, shared_config: Path, folder: Path) -> None:
    rows = dlp("scan", "--json", folder, config=shared_config).rows
    for row in rows:
        holds(row, SCAN)
    marked, plain, unread = rows
    assert marked["path"] == str(folder / "marked" / "plan.docx")
    assert (marked["action"], marked["level"], marked["level_name"]) == ("block", "secret", "机密")
    assert [found["trail"] for found in marked["findings"]] == [[]]
    assert (plain["action"], plain["level"], plain["level_name"]) == ("allow", None, None)
    assert (plain["findings"], plain["unscannable"], plain["size"]) == ([], [], 6)
    assert (unread["action"], unread["unscannable"][0]["why"]) == ("quarantine", "unsupported")


def test_what_no_rule_matches_is_allowed_and_its_unscannable_shown(dlp: Dlp, folder: Path) -> None:
    policy = folder / "policy.toml"
    policy.write_text('[[rule]]\nname = "r"\nwhen = { level = ">=secret" }\nthen = "block"\n')
    done = dlp("scan", "--json", folder / "unread", config=configure(folder, policy=policy))
    (row,) = done.rows
    assert (row["action"], row["unscannable"][0]["why"], done.status) == ("allow", "unsupported", 2)


def test_a_signature_in_shadow_is_shown_and_does_not_count(dlp: Dlp, tmp_path: Path) -> None:
    meta = 'title = "x" title_zh = "甲" category = "code-names" confidence = 90 mode = "shadow"'
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.yar").write_text(f'rule bird {{ meta: {meta} strings: $a = "bluebird" nocase condition: $a }}')
    (tmp_path / "a.txt").write_text("Bluebird flies\n")
    done = dlp("scan", "--json", tmp_path / "a.txt", config=configure(tmp_path, signatures=str(tmp_path / "own")))
    (row,) = done.rows
    assert [(found["signature"], found["mode"]) for found in row["findings"]] == [("bird", "shadow")]
    assert (row["action"], row["level"], done.status) == ("allow", None, 0)
    assert "只计数，不处置" in row["findings"][0]["why"]["zh"]
    told = dlp("scan", "--explain", tmp_path / "a.txt", config=configure(tmp_path, signatures=str(tmp_path / "own")))
    assert told.status == 0
    assert "(shadow)" in told.out
    assert "x: in the item itself (body); 1 match such as “Bl****rd”; confidence 90; counted, not acted on (shadow)." in told.out


def test_what_a_listed_password_opens_is_read_and_said(dlp: Dlp, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("not this one\nFalke-7731\n")
    closed = tmp_path / "plan.zip"
    closed.write_bytes(zip_aes({"plan.docx": a_docx(["机密★10年", "二〇二六年生产计划"])}, "Falke-7731"))
    done = dlp("scan", "--json", closed, config=configure(tmp_path))
    assert (done.rows[0]["unscannable"][0]["why"], done.status) == ("encrypted", 2)
    config = configure(tmp_path, extra='[passwords]\nfile = "words.txt"\n')
    done = dlp("scan", "--json", closed, config=config)
    ((finding,),) = (row["findings"] for row in done.rows)
    assert (finding["trail"], done.status) == (["(password found)", "plan.docx"], 1)
    shown = dlp("scan", closed, config=config)
    assert "(password found) / plan.docx / body" in shown.out
    assert "Falke" not in done.out + done.err + shown.out + shown.err


def test_text_in_a_picture_is_found_where_the_extra_is_installed(dlp: Dlp, tmp_path: Path) -> None:
    if not ocr.available():
        pytest.skip("the extra `ocr` is not installed")
    picture = tmp_path / "scan.png"
    picture.write_bytes(a_picture("CARD 4111 1111 1111 1111"))
    quiet = dlp("scan", "--json", picture, config=configure(tmp_path, extra='[ocr]\nuse = "off"\n'))
    assert ([row["findings"] for row in quiet.rows], quiet.rows[0]["unscannable"][0]["why"]) == ([[]], "unsupported")
    done = dlp("scan", "--json", picture, config=configure(tmp_path, extra='[ocr]\nuse = "required"\n'))
    assert ([row["unscannable"] for row in done.rows], done.status) == ([[]], 1)
    assert "bank_card" in {finding["signature"] for finding in done.rows[0]["findings"]}


def test_content_without_its_mark_is_told(dlp: Dlp, shared_config: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("身份证号 110101199003077432\n", "utf-8")
    (tmp_path / "b.txt").write_text("nothing\n", "utf-8")
    found, nothing = dlp("scan", "--json", tmp_path, config=shared_config).rows
    assert found["marking"].startswith("内容达到")
    assert nothing["marking"] is None
    assert found["marking"] in dlp("scan", tmp_path / "a.txt", config=shared_config).out


def test_nothing_is_touched_and_nothing_recorded(dlp: Dlp, config: Path, folder: Path) -> None:
    path = folder / "marked" / "plan.docx"
    before, content = path.stat(), path.read_bytes()
    dlp("scan", folder, config=config)
    after = path.stat()
    assert path.read_bytes() == content
    assert (after.st_mtime_ns, after.st_ctime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ctime_ns, before.st_ino)
    assert not (config.parent / "state").exists()


def test_quiet_prints_only_what_matters(dlp: Dlp, shared_config: Path, folder: Path) -> None:
    rows = dlp("scan", "-q", "--json", folder, config=shared_config).rows
    assert [Path(row["path"]).parent.name for row in rows] == ["marked", "unread"]


def test_people_read_a_summary_without_content(dlp: Dlp, shared_config: Path, folder: Path) -> None:
    done = dlp("scan", folder, config=shared_config)
    assert "3 files: 1 block, 1 quarantine, 1 allow" in done.err
    assert f"block  {folder}/marked/plan.docx  机密" in done.out
    assert "unscannable (unsupported)" in done.out
    assert "生产计划" not in done.out + done.err


# ---- Wrong usage


@pytest.mark.parametrize("arguments", [["/nonexistent/x"], [], ["--nope", "/"], ["--json"]])
def test_wrong_usage_is_64(dlp: Dlp, shared_config: Path, arguments: list[str]) -> None:
    done = dlp("scan", *arguments, config=shared_config)
    assert (done.status, done.out) == (64, "")
    assert done.err


def test_one_path_that_does_not_exist_stops_all(dlp: Dlp, shared_config: Path, folder: Path) -> None:
    done = dlp("scan", folder, folder / "none", config=shared_config)
    assert (done.status, done.out) == (64, "")
    assert str(folder / "none") in done.err


@pytest.mark.parametrize("text", ["state = 3", 'profile = "nobody"', 'policy = "none.toml"', 'signatures.paths = ["none"]'])
def test_a_bad_configuration_is_64(dlp: Dlp, folder: Path, text: str) -> None:
    (folder / "bad.toml").write_text(text)
    done = dlp("scan", folder / "plain", config=folder / "bad.toml")
    assert (done.status, done.out) == (64, "")
    assert done.err


# ---- What is not an ordinary file


def test_a_fifo_is_unscannable_and_nobody_waits(dlp: Dlp, shared_config: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = dlp("scan", "--json", tmp_path / "pipe", config=shared_config)
    (row,) = done.rows
    holds(row, SCAN)
    assert (row["sha256"], row["size"], done.status) == (None, None, 2)
    assert row["unscannable"][0]["why"] == "unreadable"
    assert row["action"] == "quarantine"


def test_links_inside_a_tree_are_not_followed_and_a_named_one_is(dlp: Dlp, shared_config: Path, folder: Path) -> None:
    inside = folder / "plain" / "link.docx"
    inside.symlink_to(folder / "marked" / "plan.docx")
    (folder / "plain" / "loop").symlink_to(folder)
    (folder / "plain" / "dangling").symlink_to("nowhere")
    done = dlp("scan", "--json", folder / "plain", config=shared_config)
    assert ([Path(row["path"]).name for row in done.rows], done.status) == (["hello.txt"], 0)
    assert dlp("scan", inside, config=shared_config).status == 1


def test_a_named_link_to_nothing_is_unreadable(dlp: Dlp, shared_config: Path, tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    done = dlp("scan", "--json", tmp_path / "dangling", config=shared_config)
    assert (done.rows[0]["unscannable"][0]["why"], done.status) == ("unreadable", 2)


def test_a_tree_is_walked_by_name(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a/z", "c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    assert [str(Path(path).relative_to(tmp_path)) for path in tree([str(tmp_path)])] == ["c", "a/z", "b/1", "b/2"]


ORDINARY = """
import ctypes, os, sys
CAPBSET_DROP, DAC_OVERRIDE, DAC_READ_SEARCH = 24, 1, 2
for capability in (DAC_OVERRIDE, DAC_READ_SEARCH):
    ctypes.CDLL(None).prctl(CAPBSET_DROP, capability)
os.execv(sys.executable, [sys.executable, "-m", "dlp", *sys.argv[1:]])
"""
"""Runs the command without root's right to read everything: prctl(2), capabilities(7)."""


def test_what_an_ordinary_user_may_not_read_is_unscannable(shared_config: Path, tmp_path: Path) -> None:
    (tmp_path / "hello.txt").touch(mode=0)
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "in.txt").touch()
    closed.chmod(0)
    command = [sys.executable, "-c", ORDINARY, "scan", "--json", str(tmp_path), "--config", str(shared_config)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=CHECKOUT, check=False)
    finally:
        closed.chmod(0o755)
    rows = {Path(row["path"]).name: row for row in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 2, done.stderr
    assert set(rows) == {"hello.txt", "closed"}
    for row in rows.values():
        holds(row, SCAN)
        assert row["unscannable"][0]["why"] == "unreadable"
        assert (row["sha256"], row["action"]) == (None, "quarantine")


WITHOUT_NEW_CODE = """
import ctypes, os, sys
SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
if ctypes.CDLL(None).prctl(SET_MDWE, ctypes.c_ulong(REFUSE_EXEC_GAIN), 0, 0, 0):
    sys.exit(77)
os.execv(sys.executable, [sys.executable, "-m", "dlp", *sys.argv[1:]])
"""
"""Runs the command without executable memory that was once writable, as the unit's MemoryDenyWriteExecute does."""


def test_no_library_makes_code_in_memory(shared_config: Path, tmp_path: Path) -> None:
    """The unit forbids it to all of the daemon, not only to its children."""
    (tmp_path / "a.cpio.gz").write_bytes(written("cpio", {"plan.txt": "4111 1111 1111 1111"}, filter_name="gzip"))
    (tmp_path / "b.pdf").write_bytes(a_pdf(["CARD 4111 1111 1111 1111"]))
    if ocr.available():
        (tmp_path / "c.png").write_bytes(a_picture("CARD 4111 1111 1111 1111"))
    command = [sys.executable, "-c", WITHOUT_NEW_CODE, "scan", "--json", str(tmp_path), "--config", str(shared_config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=CHECKOUT, check=False)
    if done.returncode == 77:
        pytest.skip("the kernel has no PR_SET_MDWE (Linux 6.3)")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == len(list(tmp_path.iterdir())), done.stderr
    for row in rows:
        assert (row["unscannable"], "bank_card" in {one["signature"] for one in row["findings"]}) == ([], True), row


# ---- Names are strangers' words

NAMES = [
    b"caf\xe9.txt",
    b"new\nline.txt",
    b"bell\x07\x1b[31mred\x1b[0m.txt",
    "right\u202eto-left.txt".encode(),
    b"[bold]markup [red].txt",
    b"\\[x].txt",
    "计划 📄.txt".encode(),
    b"c1\xc2\x9b31m.txt",
]


def test_no_name_of_a_file_speaks_to_the_terminal(dlp: Dlp, shared_config: Path, tmp_path: Path) -> None:
    paths = [os.fsencode(tmp_path) + b"/" + name for name in NAMES]
    for path in paths:
        with open(path, "wb") as file:
            file.write(b"hello\n")
    plain = dlp("scan", *map(os.fsdecode, paths), config=shared_config)
    assert not ESCAPE.search(plain.out + plain.err)
    assert "\u202e" not in plain.out
    assert len(plain.out.split("\n")) == len(NAMES) + 1
    done = dlp("scan", "--json", *map(os.fsdecode, paths), config=shared_config)
    assert not ESCAPE.search(done.out)
    assert [os.fsencode(row["path"]) for row in done.rows] == paths, "JSON carries the names exactly"


def test_markup_in_a_name_is_shown_as_it_is(dlp: Dlp, shared_config: Path, tmp_path: Path) -> None:
    path = tmp_path / "[bold]markup[" / "red].txt"
    path.parent.mkdir()
    path.write_text("x")
    assert str(path) in dlp("scan", path, config=shared_config).out


def test_a_missing_name_is_safe_in_the_error_too(dlp: Dlp, shared_config: Path) -> None:
    done = dlp("scan", "/nonexistent/\x1b[31m[bold]\udce9", config=shared_config)
    assert done.status == 64
    assert not ESCAPE.search(done.err)
    assert "[bold]" in done.err
