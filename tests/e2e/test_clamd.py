"""The real daemon on its clamd socket, asked by ClamAV's clamdscan and by a real Samba."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.clamd import CLAMD, clamdscan
from tests.helpers.daemon import CHECKOUT, Daemon, configure, started
from tests.helpers.samba import GUEST, PLACES, Samba, samba

SECRET = "机密\n\n关于年度预算的报告\n"
INTERNAL = "内部资料\n\n食堂菜单\n"
needs_clamdscan = pytest.mark.skipif(shutil.which("clamdscan") is None, reason="needs clamdscan (Debian package clamdscan)")
needs_samba = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("smbd", path=PLACES) or not shutil.which("smbclient"),
    reason="needs root, and Samba (Debian packages samba, samba-vfs-modules, smbclient)",
)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with started(configure(tmp_path_factory.mktemp("clamd"), extra=CLAMD)) as daemon:
        yield daemon


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "clean.txt").write_text("good morning\n")
    (tmp_path / "internal.txt").write_text(INTERNAL)
    (tmp_path / "sub" / "机密 a.txt").write_text(SECRET)
    (tmp_path / "sub" / "b.txt").write_text(SECRET)
    return tmp_path


WAYS = ((), ("--multiscan",), ("--fdpass",), ("--fdpass", "--multiscan"), ("--stream",), ("--stream", "--multiscan"))
"""How clamdscan asks: by path, by open file, by stream; one after the other, or in a session."""


@needs_clamdscan
def test_clamdscan_finds_the_same_in_each_of_its_ways(asked: Daemon, tree: Path) -> None:
    secret = {str(tree / "sub" / "机密 a.txt"), str(tree / "sub" / "b.txt")}
    names: list[str] = []
    for way in WAYS:
        scanned = clamdscan(asked.folder, *way, tree)
        assert (scanned.status, set(scanned.found), scanned.errors) == (1, secret, {}), (way, scanned.output)
        names += scanned.found.values()
    known = {incident["id"]: incident for incident in asked.json("incidents", "list")}
    for name in names:
        prefix, level, identity = name.split(".")
        assert (prefix, level) == ("DLP", "secret")
        incident = known[identity]
        assert (incident["channel"], incident["action"], incident["enforced"]) == ("clamd", "quarantine", True)
        assert incident["quarantine"]


@needs_clamdscan
def test_what_is_found_stays_and_what_is_internal_is_on_record(asked: Daemon, tree: Path) -> None:
    before = asked.metric('dlp_items_total{action="alert",channel="clamd"}')
    assert clamdscan(asked.folder, tree / "internal.txt").status == 0
    assert asked.metric('dlp_items_total{action="alert",channel="clamd"}') == before + 1
    assert clamdscan(asked.folder, tree / "sub" / "b.txt").status == 1
    assert (tree / "sub" / "b.txt").read_text() == SECRET


@needs_clamdscan
def test_an_original_comes_back_from_quarantine_and_is_let_pass_then(asked: Daemon, tree: Path) -> None:
    path = tree / "sub" / "b.txt"
    path.chmod(0o640)
    (name,) = clamdscan(asked.folder, path).found.values()
    path.unlink()  # as who asks does
    done = asked.dlp("quarantine", "release", name.split(".")[2])
    assert done.returncode == 0, done.stderr
    assert path.read_text() == SECRET
    assert path.stat().st_mode & 0o777 == 0o640
    assert clamdscan(asked.folder, path).status == 0


@needs_clamdscan
def test_a_stream_has_no_place_and_goes_where_it_is_told(asked: Daemon, tree: Path) -> None:
    (name,) = clamdscan(asked.folder, "--stream", tree / "sub" / "b.txt").found.values()
    incident = name.split(".")[2]
    refused = asked.dlp("quarantine", "release", incident)
    assert refused.returncode != 0
    assert "--to" in refused.stderr
    done = asked.dlp("quarantine", "release", incident, "--to", tree / "back.txt")
    assert done.returncode == 0, done.stderr
    assert (tree / "back.txt").read_text() == SECRET


@needs_clamdscan
def test_what_cannot_be_read_is_an_error(asked: Daemon, tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    assert clamdscan(asked.folder, tree / "none").status == 2
    scanned = clamdscan(asked.folder, tree)
    assert set(scanned.errors) == {str(tree / "pipe")}


@pytest.fixture
def share(public_folder: Path) -> Path:
    folder = public_folder / "exported"
    folder.mkdir()
    shutil.chown(folder, GUEST)
    return folder


def shipped(socket: Path) -> str:
    """The lines of config/samba, asking this socket."""
    lines = (CHECKOUT / "config" / "samba" / "virusfilter.conf").read_text("utf-8")
    assert "/run/dlp/clamd.sock" in lines
    return lines.replace("/run/dlp/clamd.sock", str(socket))


def said(server: Samba, command: str) -> str:
    done = server.client(command)
    return done.stdout + done.stderr


@needs_samba
def test_samba_gives_out_and_takes_in_nothing_classified_and_nothing_at_all_without_us(tmp_path: Path, share: Path) -> None:
    config = configure(tmp_path, extra=CLAMD)
    with started(config) as daemon, samba(share.parent, share, shipped(tmp_path / "clamd.sock")) as server:
        local = server.folder / "client"
        (share / "clean.txt").write_text("good morning\n")
        (share / "secret.txt").write_text(SECRET)
        (local / "put.txt").write_text(SECRET)
        (local / "fine.txt").write_text("good evening\n")

        assert "getting file" in said(server, "get clean.txt")
        assert (local / "clean.txt").read_text() == "good morning\n"
        assert "NT_STATUS_ACCESS_DENIED" in said(server, "get secret.txt")
        assert not (local / "secret.txt").exists()
        said(server, "put put.txt")
        said(server, "put fine.txt")
        assert sorted(path.name for path in share.iterdir()) == ["clean.txt", "fine.txt"]

        held = {one["origin"]["path"]: one for one in daemon.json("quarantine", "list")}
        assert set(held) == {str(share / "secret.txt"), str(share / "put.txt")}
        assert held[str(share / "put.txt")]["origin"]["owner"] == GUEST
        assert {one["channel"] for one in held.values()} == {"clamd"}
        done = daemon.dlp("quarantine", "release", held[str(share / "put.txt")]["id"])
        assert done.returncode == 0, done.stderr
        assert "getting file" in said(server, "get put.txt")

        assert daemon.stop() == 0
        assert "NT_STATUS_ACCESS_DENIED" in said(server, "get clean.txt")
        said(server, "put put.txt new.txt")
        assert "NT_STATUS_ACCESS_DENIED" in said(server, "get new.txt")
        with started(config):
            assert "getting file" in said(server, "get clean.txt")
            assert "NT_STATUS_ACCESS_DENIED" in said(server, "get new.txt")
            assert not (share / "new.txt").exists()
