"""An original goes back as it was, and never over anything."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dlp.channels import folder_restore
from dlp.channels.folder_names import rename_new
from dlp.channels.folder_restore import restore
from dlp.errors import GateError, StoreError
from dlp.model import Channel, Envelope
from dlp.ports import Held
from tests.channels.folders import MARK, Bench, Custody, notices

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="setting ids needs root")


@pytest.fixture
def custody(tmp_path: Path) -> Custody:
    return Custody(tmp_path / "custody")


@pytest.fixture
def share(tmp_path: Path) -> Path:
    folder = tmp_path / "share"
    (folder / "deep").mkdir(parents=True)
    return folder


@pytest.fixture
async def held(custody: Custody, share: Path) -> Held:
    """One file taken from `deep/plan.txt` with a mode, a time and an attribute of its own."""
    file = share / "deep" / "plan.txt"
    file.write_bytes(MARK)
    file.chmod(0o4751)
    os.setxattr(file, "user.origin", b"\x00\xffbytes")
    os.utime(file, ns=(1_500_000_000_123_456_789, 1_400_000_000_987_654_321))
    async with Bench(custody).share(share):
        pass
    assert not file.exists()
    (held,) = custody.held()
    return held


def content(custody: Custody) -> Iterator[bytes]:
    yield from custody.contents()


async def test_bytes_mode_times_and_attributes_come_back(held: Held, custody: Custody, share: Path) -> None:
    back = restore(held, content(custody), None)
    status = back.path.stat()
    assert back.path == share / "deep" / "plan.txt"
    assert back.lost == ()
    assert back.path.read_bytes() == MARK
    assert status.st_mode & 0o7777 == 0o4751
    assert status.st_mtime_ns == 1_400_000_000_987_654_321
    assert os.getxattr(back.path, "user.origin") == b"\x00\xffbytes"
    assert str(back) == str(back.path)


async def test_the_notice_goes_when_the_file_returns(held: Held, custody: Custody, share: Path) -> None:
    assert notices(share) == ["plan.txt.dlp.txt"]
    restore(held, content(custody), None)
    assert os.listdir(share / "deep") == ["plan.txt"]


async def test_a_notice_that_somebody_wrote_in_stays(held: Held, custody: Custody, share: Path) -> None:
    with (share / "deep" / "plan.txt.dlp.txt").open("a") as notice:
        notice.write("whose was this?")
    restore(held, content(custody), None)
    assert notices(share) == ["plan.txt.dlp.txt"]


@pytest.mark.root
@ROOT
async def test_the_owner_comes_back(held: Held, custody: Custody) -> None:
    back = restore(replace(held, attributes={**held.attributes, "uid": 4321, "gid": 4322}), content(custody), None)
    assert (back.path.stat().st_uid, back.path.stat().st_gid) == (4321, 4322)
    assert back.path.stat().st_mode & 0o7777 == 0o4751


@pytest.mark.root
@ROOT
async def test_what_may_not_be_restored_is_named(held: Held, custody: Custody, share: Path) -> None:
    (share / "deep").chmod(0o777)
    for folder in (share, *share.parents):
        if folder.stat().st_uid == os.geteuid() and str(folder).startswith(tempfile.gettempdir() + "/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    chunks = custody.contents()
    child = os.fork()
    if child == 0:
        status = 2  # whatever happens here must not go on as a second test run
        try:
            os.setgid(65534)
            os.setuid(65534)
            status = 0 if restore(held, iter(chunks), None).lost == ("owner",) else 1
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


async def test_nothing_is_overwritten(held: Held, custody: Custody, share: Path) -> None:
    (share / "deep" / "plan.txt").write_bytes(b"a newer file")
    with pytest.raises(GateError, match="nothing is overwritten"):
        restore(held, content(custody), None)
    assert (share / "deep" / "plan.txt").read_bytes() == b"a newer file"
    assert sorted(os.listdir(share / "deep")) == ["plan.txt", "plan.txt.dlp.txt"]


async def test_a_missing_folder_is_said_and_another_place_can_be_named(
    held: Held, custody: Custody, share: Path, tmp_path: Path
) -> None:
    (share / "deep").rename(share / "elsewhere")
    with pytest.raises(GateError, match="--to"):
        restore(held, content(custody), None)
    assert restore(held, content(custody), tmp_path / "rescued.txt").path.read_bytes() == MARK


async def test_a_folder_swapped_for_a_symlink_is_not_followed(held: Held, custody: Custody, share: Path, tmp_path: Path) -> None:
    (share / "deep").rename(share / "elsewhere")
    (tmp_path / "victim").mkdir()
    (share / "deep").symlink_to(tmp_path / "victim")
    with pytest.raises(GateError):
        restore(held, content(custody), None)
    assert os.listdir(tmp_path / "victim") == []


async def test_wrong_or_broken_content_leaves_nothing(held: Held, custody: Custody, share: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise StoreError("chunk 1 is not authentic")

    with pytest.raises(GateError, match="not what was held"):
        restore(held, iter([b"other"]), None)
    with pytest.raises(StoreError):
        restore(held, broken(), None)
    assert os.listdir(share / "deep") == ["plan.txt.dlp.txt"]


async def test_without_nameless_files_a_hidden_name_does(
    held: Held, custody: Custody, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # FAT has no O_TMPFILE; asking for a directory where there is none fails in the same way.
    monkeypatch.setattr(folder_restore.os, "O_TMPFILE", os.O_DIRECTORY | os.O_CREAT)
    assert restore(held, content(custody), None).path.read_bytes() == MARK
    with pytest.raises(GateError, match="nothing is overwritten"):
        restore(held, content(custody), None)
    assert os.listdir(share / "deep") == ["plan.txt"]


async def test_a_drive_that_is_not_mounted_is_said(held: Held, custody: Custody) -> None:
    with pytest.raises(GateError, match="not mounted"):
        restore(replace(held, channel=Channel.USB), content(custody), None)


def test_a_message_needs_a_place(tmp_path: Path) -> None:
    origin = Envelope(peer="127.0.0.1:1", sender="a@example.com", recipients=("b@example.org",))
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    held = Held(
        id="q",
        incident="i",
        channel=Channel.MAIL,
        stored=datetime.now(UTC),
        size=3,
        sha256=sha256,
        level=None,
        origin=origin,
        state="held",
    )
    with pytest.raises(GateError, match="--to"):
        restore(held, iter([b"abc"]), None)
    assert restore(held, iter([b"abc"]), tmp_path / "m.eml").path.read_bytes() == b"abc"


def test_rename_new_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(FileExistsError):
            rename_new("a", "b", folder=folder)
        rename_new("a", "c", folder=folder)
    finally:
        os.close(folder)
    assert ((tmp_path / "b").read_text(), (tmp_path / "c").read_text()) == ("b", "a")
