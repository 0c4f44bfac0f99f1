"""What a gated drive does, without FUSE: a folder stands for the drive, and the judge is a fake."""

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dlp.channels.ask_wire import Answer, Question
from dlp.channels.gate_files import UTIME_NOW, UTIME_OMIT, Caller, Drive, GateFiles
from dlp.channels.gate_node import Node
from dlp.channels.gate_refusals import NAME, Refusals
from dlp.channels.gate_staging import Staging
from dlp.channels.gate_tree import Tree
from dlp.errors import AskError
from dlp.model import Action

MARK = b"TOP SECRET"
ME = Caller(uid=os.getuid(), gid=os.getgid(), name="li")


class FakeCommit:
    def __init__(self, answer: Answer, told: list[str]) -> None:
        self.answer = answer
        self._told = told

    def done(self) -> None:
        self._told.append("done")

    def failed(self, error: str) -> None:
        self._told.append(f"failed: {error}")


class FakeAsk:
    """Refuses what holds the mark, in content or name. `during` runs while it judges; `dead`: no answer at all."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.questions: list[Question] = []
        self.told: list[str] = []
        self.during: Callable[[], None] = lambda: None
        self.dead = False
        self.unrecorded = False

    @contextlib.contextmanager
    def commit(self, question: Question, descriptor: int, timeout: float) -> Iterator[FakeCommit]:
        if self.dead:
            raise AskError("the daemon does not answer")
        content = os.pread(descriptor, 1 << 20, 0)
        self.asked.append((question.path, content))
        self.questions.append(question)
        self.during()
        assert os.pread(descriptor, 1 << 20, 0) == content, "what is judged does not change meanwhile"
        allowed = MARK not in content and "绝密" not in question.path
        action = Action.ALLOW if allowed else Action.BLOCK
        yield FakeCommit(Answer(allowed=allowed, action=action, incident=None if allowed else "inc-7"), self.told)
        if self.unrecorded:
            raise AskError("committed, but the daemon failed")


class House:
    def __init__(self, folder: Path, *, small: int = 1 << 20) -> None:
        self.drive = folder / "drive"
        self.drive.mkdir()
        (folder / "staging").mkdir()
        self.ask = FakeAsk()
        self.refusals = Refusals(clock=lambda: 1e9)
        drive = Drive(volume="/media/dlp/S", device="SER", patience=lambda size: 1.0)
        tree = Tree(os.open(self.drive, os.O_PATH | os.O_DIRECTORY))
        staging = Staging(str(folder / "staging"), small=small, reserve=0)
        self.files = GateFiles(drive, tree, staging, self.ask, self.refusals)

    def create(self, path: str) -> Node:
        return self.files.create(path, 0o644, os.O_WRONLY | os.O_CREAT, ME)

    def open(self, path: str, flags: int = os.O_RDWR) -> Node:
        return self.files.open(path, flags, ME)

    def save(self, path: str, content: bytes) -> None:
        """As a program does: create or truncate, write, close."""
        exists = (self.drive / path[1:]).exists()
        node = self.open(path, os.O_WRONLY | os.O_TRUNC) if exists else self.create(path)
        self.files.write(node, content, 0)
        self.close(node)

    def close(self, node: Node) -> None:
        try:
            self.files.flush(node)
        finally:
            self.files.release(node)

    def read(self, node: Node, size: int = 1 << 20) -> bytes:
        buffer = bytearray(size)
        return bytes(buffer[: self.files.read_into(node, memoryview(buffer), 0)])

    def there(self) -> dict[str, bytes]:
        """Every file on the drive itself, whatever its name."""
        return {str(one.relative_to(self.drive)): one.read_bytes() for one in self.drive.rglob("*") if one.is_file()}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.files.close()


def test_nothing_is_on_the_drive_before_the_verdict(house: House) -> None:
    house.ask.during = lambda: seen.append(house.there())
    seen: list[dict[str, bytes]] = []
    node = house.create("/a")
    house.files.write(node, b"clean", 0)
    assert house.there() == {}
    assert dict(house.files.names("/")) == {"a": stat.S_IFREG}, "but its user sees it"
    house.close(node)
    assert seen == [{}] and house.there() == {"a": b"clean"}
    assert house.ask.told == ["done"]
    (question,) = house.ask.questions
    assert (question.path, question.volume, question.device, question.owner) == ("/media/dlp/S/a", "/media/dlp/S", "SER", "li")
    assert question.attributes["mode"] == 0o644 and question.attributes["xattrs"] == {}


def test_what_is_refused_leaves_what_was_there(house: House) -> None:
    house.save("/a", b"old")
    with pytest.raises(PermissionError):
        house.save("/a", MARK)
    assert house.there() == {"a": b"old"}
    assert "inc-7" in house.refusals.text().decode() and "/a" in house.refusals.text().decode()
    with pytest.raises(PermissionError):
        house.save("/b", MARK)
    assert dict(house.files.names("/")) == {"a": stat.S_IFREG, NAME: stat.S_IFREG}
    with pytest.raises(FileNotFoundError):
        house.files.status("/b")


def test_each_close_hears_of_a_refusal_and_nothing_is_asked_twice(house: House) -> None:
    node = house.create("/a")
    house.files.write(node, MARK, 0)
    for _ in range(3):
        with pytest.raises(PermissionError):
            house.files.flush(node)
    house.files.release(node)
    assert len(house.ask.asked) == 1


def test_an_empty_file_waits_for_the_last_close(house: House) -> None:
    node = house.create("/a")
    house.files.flush(node)
    assert house.ask.asked == [] and house.there() == {}
    house.files.release(node)
    assert house.there() == {"a": b""}


def test_what_changes_while_it_is_judged_is_judged_again(house: House) -> None:
    """A writer comes while the content is read: it waits, and is not part of what is committed."""
    node = house.create("/a")
    again = house.open("/a")
    house.files.write(node, b"clean", 0)
    writers: list[threading.Thread] = []

    def write() -> None:
        writers.append(threading.Thread(target=house.files.write, args=(again, MARK, 0)))
        writers[-1].start()

    house.ask.during = write
    house.files.flush(node)
    writers[0].join()
    assert house.there() == {"a": b"clean"}
    house.ask.during = lambda: None
    with pytest.raises(PermissionError):
        house.files.flush(again)
    house.files.release(node)
    house.files.release(again)
    assert house.there() == {"a": b"clean"}


def test_removed_or_renamed_while_it_is_judged(house: House) -> None:
    node = house.create("/a")
    house.files.write(node, b"clean", 0)
    house.ask.during = lambda: house.files.rename("/a", "/b", ME)
    house.close(node)
    assert house.there() == {"b": b"clean"}
    node = house.create("/c")
    house.files.write(node, b"clean", 0)
    house.ask.during = lambda: house.files.unlink("/c")
    house.close(node)
    assert house.there() == {"b": b"clean"}


def test_without_an_answer_nothing_is_written(house: House) -> None:
    house.ask.dead = True
    node = house.create("/a")
    house.files.write(node, b"clean", 0)
    with pytest.raises(OSError, match="Input/output"):
        house.files.flush(node)
    house.ask.dead = False
    house.files.fsync(node)
    assert house.there() == {"a": b"clean"}, "the writer may try again"
    house.close(node)
    house.ask.dead = True
    for step in (lambda: house.files.mkdir("/d", 0o755, ME), lambda: house.files.rename("/a", "/e", ME)):
        with pytest.raises(OSError, match="Input/output"):
            step()
    assert house.there() == {"a": b"clean"} and not (house.drive / "d").exists()


def test_written_but_not_recorded_is_no_error_of_the_writers(house: House) -> None:
    house.ask.unrecorded = True
    house.save("/a", b"clean")
    assert house.there() == {"a": b"clean"}


def test_a_commit_that_fails_is_told_and_leaves_nothing(house: House) -> None:
    (house.drive / "d").mkdir()
    node = house.create("/d/a")
    house.files.write(node, b"clean", 0)
    (house.drive / "d").rmdir()  # behind its back, as a drive that fails
    with pytest.raises(FileNotFoundError):
        house.files.flush(node)
    house.files.release(node)
    assert os.listdir(house.drive) == []
    assert house.ask.told[-1].startswith("failed: ")


@pytest.mark.parametrize("name", ["/绝密.txt", "/d/绝密"])
def test_words_in_names_are_judged(house: House, name: str) -> None:
    (house.drive / "d").mkdir()
    house.save("/a", b"clean")
    steps = [
        lambda: house.files.mkdir(name, 0o755, ME),
        lambda: house.files.rename("/a", name, ME),
        lambda: house.files.rename("/d", "/绝密", ME),
        lambda: house.files.link("/a", name, ME),
        lambda: house.files.symlink(name, "a", ME),
        lambda: house.files.symlink("/l", MARK.decode(), ME),
        lambda: house.save(name, b"clean"),
    ]
    for step in steps:
        with pytest.raises(PermissionError):
            step()
    assert house.there() == {"a": b"clean"}


def test_a_rename_that_says_nothing_new_asks_nothing(house: House) -> None:
    house.save("/a", b"old")
    house.save("/a.tmp", b"new")
    asked = len(house.ask.asked)
    house.files.rename("/a.tmp", "/a", ME)
    assert house.there() == {"a": b"new"} and len(house.ask.asked) == asked


def test_an_open_file_that_has_content_on_the_drive_takes_no_bad_name(house: House) -> None:
    house.save("/a", b"old")
    node = house.open("/a")
    house.files.write(node, b"new", 0)
    with pytest.raises(PermissionError):
        house.files.rename("/a", "/绝密", ME)
    house.close(node)
    assert house.there() == {"a": b"new"}


def test_a_release_is_judged_under_its_own_name(house: House) -> None:
    """The way of dlp.channels.folder_restore."""
    node = house.create("/.dlp-restore-0123")
    house.files.write(node, b"clean", 0)
    house.files.fsync(node)
    house.files.rename("/.dlp-restore-0123", "/plan", ME)
    house.close(node)
    assert house.ask.asked == [("/media/dlp/S/plan", b"clean")]


def test_large_files_go_to_the_disk_and_come_back_the_same(tmp_path: Path) -> None:
    house = House(tmp_path, small=100)
    content = os.urandom(500_000)
    node = house.create("/a")
    for start in range(0, len(content), 4096):
        house.files.write(node, content[start : start + 4096], start)
    house.files.fsync(node)
    house.files.write(node, b"changed", 100)
    house.files.truncate(node, 400_000)
    house.close(node)
    assert house.there()["a"] == content[:100] + b"changed" + content[107:400_000]
    house.files.close()


def test_what_could_not_be_written_whole_goes_nowhere(tmp_path: Path) -> None:
    house = House(tmp_path, small=10)
    house.files._staging._reserve = 1 << 60  # the disk is full from here on
    node = house.create("/a")
    house.files.write(node, b"begins", 0)
    with pytest.raises(OSError, match="No space"):
        house.files.write(node, bytes(100), 6)
    with pytest.raises(OSError, match="No space"):
        house.close(node)
    assert house.there() == {} and house.ask.asked == []
    house.save("/a", b"small")
    assert house.there() == {"a": b"small"}
    house.files.close()


def test_times_that_are_not_told(house: House) -> None:
    house.save("/a", b"clean")
    house.files.utimens("/a", (10**18, 2 * 10**18))
    house.files.utimens("/a", (UTIME_OMIT, 3 * 10**18))
    found = house.files.status("/a")
    assert (found["st_atime"], found["st_mtime"]) == (10**18, 3 * 10**18)
    house.files.utimens("/a", (UTIME_NOW, UTIME_OMIT))
    assert house.files.status("/a")["st_mtime"] == 3 * 10**18
    assert house.files.status("/a")["st_atime"] > 10**18


def test_names_of_its_own_are_nobody_s(house: House) -> None:
    house.save("/a", b"clean")
    for step in (
        lambda: house.create("/.dlp-gate-1"),
        lambda: house.files.rename("/a", "/.dlp-gate-1", ME),
        lambda: house.files.mkdir(f"/{NAME}", 0o755, ME),
        lambda: house.files.rename("/a", "/.fuse_hidden1", ME),
    ):
        with pytest.raises(PermissionError):
            step()


def test_a_link_on_the_drive_leads_nowhere_else(house: House, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "f").write_bytes(b"not yours")
    (house.drive / "out").symlink_to(tmp_path / "outside")
    for step in (lambda: house.open("/out/f"), lambda: house.save("/out/g", b"x"), lambda: house.files.unlink("/out/f")):
        with pytest.raises(OSError) as caught:
            step()
        assert caught.value.errno in (errno.ELOOP, errno.EXDEV, errno.ENOTDIR)
    assert os.listdir(tmp_path / "outside") == ["f"]
