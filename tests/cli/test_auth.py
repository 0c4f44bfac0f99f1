"""`dlp auth`, and what `dlp check` says of logins."""

import io
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from dlp.channels.smtp_auth_file import FileCredentials
from dlp.channels.smtp_sasl import Claim
from tests.cli.conftest import Dlp
from tests.helpers.daemon import CHECKOUT, configure

SECRET = "canary s3cret"


class Stdin(io.TextIOWrapper):
    """Standard input that is no terminal."""

    def __init__(self, octets: bytes) -> None:
        super().__init__(io.BytesIO(octets), "utf-8")


def with_auth(folder: Path, keys: str = 'auth_file = "logins"') -> Path:
    """A configuration with `keys` in [mail]."""
    path = configure(folder)
    path.write_text(path.read_text("utf-8").replace("[mail]\n", f"[mail]\n{keys}\n"), "utf-8")
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return with_auth(tmp_path)


def say(monkeypatch: pytest.MonkeyPatch, text: str | bytes) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(text.encode() if isinstance(text, str) else text))


async def test_add_list_check_remove(dlp: Dlp, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "logins"
    say(monkeypatch, f"{SECRET}\nanother line\n")
    done = dlp("auth", "add", "alice", config=config)
    assert (done.status, done.out, done.err) == (0, "alice may authenticate\n", "")
    assert file.stat().st_mode & 0o777 == 0o600
    assert SECRET not in file.read_text()
    assert await FileCredentials(file).holds(Claim(user="alice", password=SECRET.encode()))
    assert dlp("auth", "list", "--json", config=config).rows == [{"name": "alice", "scheme": "scrypt", "ln": 14, "r": 8, "p": 5}]
    assert "16 MiB" in dlp("auth", "list", config=config).out
    for said, status in ((SECRET, 0), ("wrong", 1), ("", 1), (b"\xff", 1)):
        say(monkeypatch, said)
        done = dlp("auth", "check", "alice", "--json", config=config)
        assert (done.status, done.rows) == (status, [{"name": "alice", "holds": status == 0}])
    file.write_text("# mine\n" + file.read_text())
    say(monkeypatch, "new")
    assert dlp("auth", "add", "alice", config=config).out == "alice has another password\n"
    assert file.read_text().startswith("# mine\nalice:$scrypt$")
    say(monkeypatch, "new\r\n")
    assert dlp("auth", "check", "alice", config=config).status == 0
    assert dlp("auth", "remove", "alice", config=config).status == 0
    assert file.read_text() == "# mine\n"
    assert "Nobody" in dlp("auth", "list", config=config).out
    for verb in ("remove", "check"):
        done = dlp("auth", verb, "alice", config=config)
        assert (done.status, "nobody with the name 'alice'" in done.err) == (1, True)


def test_a_change_is_in_the_audit_log_where_there_is_one(
    dlp: Dlp, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(monkeypatch, SECRET)
    dlp("auth", "add", "alice", config=config)
    # No state is made for it, since that would belong to whoever runs this.
    assert not (tmp_path / "state").exists()
    assert dlp("incidents", "list", config=config).status == 0
    say(monkeypatch, SECRET)
    assert dlp("auth", "add", "bob", config=config).status == 0
    assert dlp("auth", "remove", "bob", config=config).status == 0
    record = (tmp_path / "state" / "audit" / "audit.jsonl").read_text()
    assert [f'"{event}"' in record for event in ("auth-add", "auth-remove")] == [True, True]
    assert "bob" in record
    assert "alice" not in record
    assert SECRET not in record
    assert dlp("audit", "verify", config=config).status == 0
    (tmp_path / "state" / "quarantine.key").chmod(0o644)
    say(monkeypatch, SECRET)
    done = dlp("auth", "add", "carol", config=config)
    assert (done.status, "not recorded" in done.err) == (0, True)


@pytest.mark.parametrize("name", ["", "a:b", " alice", "#alice", "ａlice", "a\tb", "\udcff"])
def test_a_name_that_a_line_cannot_hold(dlp: Dlp, config: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    say(monkeypatch, SECRET)
    assert dlp("auth", "add", name, config=config).status == 64


@pytest.mark.parametrize("password", [b"", b"\n", b"\x07bell", b"\xff"])
def test_a_password_that_cannot_be(
    dlp: Dlp, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: bytes
) -> None:
    say(monkeypatch, password)
    done = dlp("auth", "add", "alice", config=config)
    assert (done.status, "cannot be a password" in done.err) == (1, True)
    assert not (tmp_path / "logins").exists()


def test_a_file_that_is_wrong_is_not_rewritten(dlp: Dlp, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "logins"
    for text, mode in (("alice:what\n", 0o600), ("", 0o644)):
        file.write_text(text)
        file.chmod(mode)
        say(monkeypatch, SECRET)
        assert dlp("auth", "add", "bob", config=config).status == 2
        assert file.read_text() == text


def test_where_no_file_is_configured(dlp: Dlp, shared_config: Path) -> None:
    for arguments in (("add", "alice"), ("remove", "alice"), ("list",), ("check", "alice")):
        done = dlp("auth", *arguments, config=shared_config)
        assert (done.status, "mail.auth_file" in done.err) == (2, True)


def test_a_link_stays_one(dlp: Dlp, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "logins").symlink_to("kept/logins")
    say(monkeypatch, SECRET)
    assert dlp("auth", "add", "alice", config=config).status == 0
    assert (tmp_path / "logins").is_symlink()
    assert (tmp_path / "kept" / "logins").is_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: gives a file away")
def test_the_owner_stays_and_a_new_file_is_the_daemons(
    dlp: Dlp, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").mkdir(0o700)
    os.chown(tmp_path / "state", 12345, 12346)
    say(monkeypatch, SECRET)
    dlp("auth", "add", "alice", config=config)
    status = (tmp_path / "logins").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (12345, 12346, 0o600)
    os.chown(tmp_path / "logins", 777, 778)
    say(monkeypatch, SECRET)
    dlp("auth", "add", "bob", config=config)
    assert ((tmp_path / "logins").stat().st_uid, (tmp_path / "logins").stat().st_gid) == (777, 778)


def on_terminal(config: Path, *answers: str) -> tuple[int, str]:
    """`dlp auth add alice` on a terminal where `answers` are typed; its status and what the terminal showed."""
    terminal, inner = pty.openpty()
    command = ["setsid", "--ctty", "--wait", sys.executable, "-m", "dlp", "auth", "add", "alice", "--config", str(config)]
    process = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, cwd=CHECKOUT)
    os.close(inner)
    shown = b""
    for answer in answers:
        asked = shown.count(b": ")  # the space comes once the terminal no longer shows what is typed
        while shown.count(b": ") == asked:
            shown += os.read(terminal, 1024)
        os.write(terminal, f"{answer}\n".encode())
    while process.poll() is None or select.select([terminal], [], [], 0)[0]:
        try:
            shown += os.read(terminal, 1024)
        except OSError:  # the other end is closed
            break
    os.close(terminal)
    return process.wait(60), shown.decode()


def test_on_a_terminal_it_is_asked_for_twice_and_not_shown(config: Path, tmp_path: Path) -> None:
    status, shown = on_terminal(config, SECRET, SECRET)
    assert (status, "alice may authenticate" in shown, SECRET in shown) == (0, True, False)
    assert (tmp_path / "logins").read_text().startswith("alice:$scrypt$")


def test_many_at_once_lose_nobody(config: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dlp", "auth", "add", "--config", str(config)]
    running = [subprocess.Popen([*command, f"user{n}"], stdin=subprocess.PIPE, cwd=CHECKOUT) for n in range(4)]
    for one in running:
        one.communicate(b"secret\n", timeout=100)
    assert [one.returncode for one in running] == [0] * 4
    assert sorted(line.partition(":")[0] for line in (tmp_path / "logins").read_text().splitlines()) == [
        f"user{n}" for n in range(4)
    ]


# dlp check


def faults(dlp: Dlp, config: Path) -> list[tuple[str, str]]:
    return [(row["severity"], row["key"]) for row in dlp("check", "--json", config=config).rows]


def test_check_reads_the_file(dlp: Dlp, config: Path, tmp_path: Path) -> None:
    file = tmp_path / "logins"
    assert ("fault", "mail.auth_file") in faults(dlp, config)
    file.write_text("canary\n")
    file.chmod(0o600)
    done = dlp("check", config=config)
    assert (done.status, f"{file}: line 1" in done.err, "canary" in done.err) == (2, True, False)
    file.write_text("")
    assert dlp("check", config=config).status == 0
    file.chmod(0o604)
    assert faults(dlp, config) == [("fault", "mail.auth_file")]


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ('auth_file = "a"\nauth_upstream = "smtp://mx"', "mail.auth_upstream"),
        ("auth_required = true", "mail.auth_required"),
        ("auth_without_tls = true", "mail.auth_without_tls"),
        ('auth_upstream = "lmtp://mx:24"', "mail.auth_upstream"),
        ('auth_upstream = "smtp://mx"\nauth_upstream_tls = "off"', "mail.auth_upstream_tls"),
        ('auth_upstream_tls = "may"', "mail.auth_upstream_tls"),
    ],
)
def test_keys_that_contradict_each_other(dlp: Dlp, tmp_path: Path, keys: str, key: str) -> None:
    assert faults(dlp, with_auth(tmp_path, keys)) == [("fault", key)]


def test_check_warns_where_no_client_would_be_offered_auth(dlp: Dlp, tmp_path: Path) -> None:
    upstream = 'auth_upstream = "smtp://mx"'
    config = with_auth(tmp_path, upstream)
    assert faults(dlp, config) == []
    config.write_text(config.read_text().replace('listen = ["127.0.0.1:', 'listen = ["0.0.0.0:'))
    assert faults(dlp, config) == [("warning", "mail.tls_cert")]
    config.write_text(config.read_text().replace(upstream, f"{upstream}\nauth_without_tls = true"))
    assert faults(dlp, config) == []
