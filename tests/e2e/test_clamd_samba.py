"""What Samba would let pass by its own defaults, and does not as config/samba has it: the real smbd, smbclient and daemon."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.clamd import CLAMD
from tests.helpers.daemon import CHECKOUT, Daemon, configure, started
from tests.helpers.samba import GUEST, Samba, samba

SECRET = "机密\n\n关于年度预算的报告\n"
DENIED = "NT_STATUS_ACCESS_DENIED"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("smbd", path="/usr/sbin:/usr/bin") or not shutil.which("smbclient"),
    reason="needs root, and Samba (Debian packages samba, samba-vfs-modules, smbclient)",
)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with started(configure(tmp_path_factory.mktemp("asked"), extra=CLAMD)) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def server(asked: Daemon) -> Iterator[Samba]:
    lines = (CHECKOUT / "config" / "samba" / "virusfilter.conf").read_text("utf-8")
    lines = lines.replace("/run/dlp/clamd.sock", str(asked.folder / "clamd.sock"))
    with tempfile.TemporaryDirectory(prefix="dlp-test-") as name:  # those of pytest are closed to the guest
        folder = Path(name)
        folder.chmod(0o755)
        share = folder / "exported"
        share.mkdir()
        shutil.chown(share, GUEST)
        with samba(folder, share, lines) as running:
            yield running


def said(server: Samba, *commands: str) -> str:
    done = server.client(*commands)
    return done.stdout + done.stderr


def test_what_was_read_a_moment_ago_and_is_overwritten_is_judged_again(server: Samba) -> None:
    (server.folder / "client" / "secret.txt").write_text(SECRET, "utf-8")
    (server.share / "report.txt").write_text("good morning\n")
    os.chmod(server.share / "report.txt", 0o666)
    assert (
        DENIED not in said(server, "get report.txt", "put secret.txt report.txt", "get report.txt again.txt").partition("put")[0]
    )
    assert not (server.share / "report.txt").exists()
    assert (server.folder / "client" / "report.txt").read_text() == "good morning\n"
    assert not (server.folder / "client" / "again.txt").exists()


def test_a_file_of_a_few_bytes_is_judged_too(server: Samba) -> None:
    (server.share / "tiny.txt").write_text("绝密★", "utf-8")
    assert (server.share / "tiny.txt").stat().st_size < 10  # what Samba asks about by default
    assert DENIED in said(server, "get tiny.txt")
    assert not (server.folder / "client" / "tiny.txt").exists()


def test_names_that_look_like_answers_are_judged(server: Samba) -> None:
    names = ["a OK.txt", "生产计划 OK.txt", "a FOUND.txt"]
    (server.folder / "client" / "secret.txt").write_text(SECRET, "utf-8")
    (server.folder / "client" / "fine.txt").write_text("good evening\n")
    for name in names:
        said(server, f'put secret.txt "{name}"')
        assert not (server.share / name).exists()
        said(server, f'put fine.txt "{name}"')
        assert (server.share / name).read_text() == "good evening\n"


def test_a_daemon_that_hangs_lets_nothing_out(asked: Daemon, server: Samba) -> None:
    (server.share / "clean.txt").write_text("good morning\n")
    settings = server.folder / "smb.conf"
    assert "io timeout = 60000" in settings.read_text()
    settings.write_text(settings.read_text().replace("io timeout = 60000", "io timeout = 500"))  # read by the next connection
    asked.process.send_signal(signal.SIGSTOP)
    try:
        assert DENIED in said(server, "get clean.txt")
    finally:
        asked.process.send_signal(signal.SIGCONT)
    assert not (server.folder / "client" / "clean.txt").exists()
