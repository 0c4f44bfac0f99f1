"""`dlp check` on passwords, pictures, milter, clamd socket and shares: what is a fault, what a warning, what is in use."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dlp.extract import ocr
from tests.cli.conftest import Dlp
from tests.helpers.daemon import CHECKOUT, configure
from tests.helpers.sshfs import mounted

SECRET = "Tr0ub4dor&3"


def faults(dlp: Dlp, config: Path) -> list[tuple[str, str, str]]:
    return [(row["severity"], row["where"], row["key"]) for row in dlp("check", "--json", config=config).rows]


def test_a_list_of_passwords_is_nobody_elses(dlp: Dlp, tmp_path: Path) -> None:
    config = configure(tmp_path, extra='[passwords]\nfile = "words.txt"\n')
    words = tmp_path / "words.txt"
    assert ("fault", str(words), "passwords.file") in faults(dlp, config)
    words.write_text(f"{SECRET}\n")
    words.chmod(0o644)
    done = dlp("check", config=config)
    assert (done.status, f"chmod o= {words}" in done.err) == (2, True)
    assert SECRET not in done.out + done.err
    words.chmod(0o640)
    assert dlp("check", config=config).status == 0


def test_a_configuration_with_passwords_in_it_is_nobody_elses(dlp: Dlp, tmp_path: Path) -> None:
    config = configure(tmp_path, extra=f'[passwords]\nlist = ["{SECRET}"]\n')
    config.chmod(0o644)
    assert faults(dlp, config) == [("fault", str(config), "passwords.list")]
    config.chmod(0o600)
    assert dlp("check", config=config).status == 0


@pytest.mark.parametrize("use", ["if-installed", "off", "required"])
@pytest.mark.parametrize("installed", [True, False])
def test_it_says_whether_text_in_pictures_is_read(
    dlp: Dlp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: str, installed: bool
) -> None:
    monkeypatch.setattr(ocr, "available", lambda: installed)
    done = dlp("check", config=configure(tmp_path, extra=f'[ocr]\nuse = "{use}"\n'))
    missing = not installed and use == "required"
    assert done.status == (2 if missing else 0)
    assert ("text recognition: in use" in done.out) is (installed and use != "off")
    assert ("text recognition: not in use" in done.out) is (use == "off" or (use == "if-installed" and not installed))
    assert ("EXTRAS=ocr" in done.out + done.err) is (not installed and use != "off")
    assert ("ocr.use" in done.err) is missing


def test_a_template_with_an_unknown_placeholder_is_a_fault(dlp: Dlp, tmp_path: Path) -> None:
    own = tmp_path / "notices"
    shutil.copytree(CHECKOUT / "config" / "notices", own)
    config = configure(tmp_path, extra='[notify]\ntemplates = "notices/"\n')
    assert dlp("check", config=config).status == 0
    with (own / "sender.en.txt").open("a") as file:
        file.write("$recipients\n")
    assert [row[:2] for row in faults(dlp, config)] == [("fault", str(own / "sender.en.txt"))]
    done = dlp("check", config=config)
    assert (done.status, "did you mean $recipient?" in done.err) == (2, True)


def test_a_milter_needs_a_folder_a_group_and_a_place_nobody_listens_on(dlp: Dlp, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket(socket.AF_UNIX) as live:
        live.bind(str(tmp_path / "live.sock"))
        live.listen()
        port = taken.getsockname()[1]
        listen = f'listen = ["unix:none/m.sock", "unix:live.sock", "unix:free.sock", "inet:127.0.0.1:{port}"]'
        config = configure(tmp_path, extra=f"[milter]\n{listen}\n")
        assert faults(dlp, config) == [
            ("fault", "network", "milter.listen"),
            ("fault", str(tmp_path / "none"), "milter.listen"),
            ("fault", str(tmp_path / "live.sock"), "milter.listen"),
        ]
    config.write_text(
        config.read_text("utf-8").replace(listen, 'listen = ["unix:free.sock"]\nsocket_group = "no-such-group"'), "utf-8"
    )
    assert faults(dlp, config) == [("fault", "[milter]", "milter.socket_group")]
    config.write_text(config.read_text("utf-8").replace("no-such-group", "root"), "utf-8")
    assert dlp("check", config=config).status == 0


def test_a_clamd_socket_needs_a_folder_a_group_and_a_place_nobody_listens_on(dlp: Dlp, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "live.sock"))
        listener.listen()
        for place, where in (("live.sock", tmp_path / "live.sock"), ("none/clamd.sock", tmp_path / "none")):
            config = configure(tmp_path, extra=f'[clamd]\nsocket = "{place}"\n')
            assert faults(dlp, config) == [("fault", str(where), "clamd.socket")]
    config = configure(tmp_path, extra='[clamd]\nsocket = "clamd.sock"\ngroup = "nosuch"\n')
    assert faults(dlp, config) == [("fault", "[clamd]", "clamd.group")]
    config = configure(tmp_path, extra='[clamd]\nsocket = "state/run/clamd.sock"\n')  # a folder that the daemon makes
    assert faults(dlp, config) == []
    config = configure(tmp_path, extra=f'[clamd]\nsocket = "{"x" * 100}"\n')
    assert faults(dlp, config) == [("fault", str(config), "clamd.socket")]


@pytest.mark.root
def test_fewer_watches_than_folders_are_a_fault_that_names_the_sysctl(tmp_path: Path) -> None:
    """Really fewer: a user namespace has a limit of its own (namespaces(7))."""
    config = configure(tmp_path)
    for n in range(10):
        (tmp_path / "share" / f"{n}").mkdir()
    script = 'echo "$0" >/proc/sys/user/max_inotify_watches && exec "$@"'
    for limit, status in ((10, 2), (11, 0)):
        command = ["unshare", "--user", "--map-root-user", "sh", "-c", script, str(limit)]
        command += [sys.executable, "-m", "dlp", "check", "--config", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=CHECKOUT)
        if "unshare failed" in done.stderr:
            pytest.skip("no user namespaces here")
        assert done.returncode == status, done.stdout + done.stderr
        named = "11 folders to watch, but only 10 watches" in done.stderr and "user.max_inotify_watches=22" in done.stderr
        assert named is (status == 2)


@pytest.mark.root
def test_it_says_which_shares_are_polled_and_warns_where_none_is(dlp: Dlp, tmp_path: Path) -> None:
    config, served = configure(tmp_path), tmp_path / "served"
    served.mkdir()
    (tmp_path / "share" / "net").mkdir()
    with mounted(served, tmp_path / "share" / "net"):
        done = dlp("check", config=config)
        assert (
            done.status,
            f"polled every 30 s, as on a network file system: {tmp_path}/share/net (fuse.sshfs)" in done.out,
        ) == (0, True)
        config.write_text(config.read_text("utf-8").replace("[share]", '[share]\nevents = "inotify"'), "utf-8")
        assert ("warning", f"{tmp_path}/share/net", "share.events") in faults(dlp, config)
    config.write_text(config.read_text("utf-8").replace('"inotify"', '"poll"\npoll_seconds = 60'), "utf-8")
    assert "polled every 60 s, as configured" in dlp("check", config=config).out
