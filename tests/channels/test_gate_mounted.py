"""A gated drive as the kernel shows it: every way of writing, and what is on the raw device afterwards.

GATE_ROUNDS is how often two writers race (`make test-gate`: 1,000, and on a second kind of file system too).
"""

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import shutil
import signal
import sqlite3
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.daemon import eventually
from tests.helpers.gate import MARK, Standing, gated, image, judge, looped

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

ROUNDS = int(os.environ.get("GATE_ROUNDS", "50"))
SECRET = b"%b, page one\n" % MARK
CLEAN = b"Lunch is at noon.\n"
_RENAME_EXCHANGE = 2
_EXT4_IOC_SHUTDOWN = 0x8004587D
"""_IOR('X', 125, __u32), the kernel's fs/ext4/ext4.h."""


@pytest.fixture(scope="module", params=["ext4", "ext2"] if ROUNDS > 50 else ["ext4"])
def drive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    folder = tmp_path_factory.mktemp("gated")
    made = image(folder / "drive.img", kind=request.param)
    with looped(made) as device, judge(folder / "state"), gated(folder, device, made, kind=request.param) as standing:
        yield standing


@pytest.fixture
def place(drive: Standing) -> Iterator[Path]:
    """A folder of the test's own on the drive; afterwards nothing of the mark is on the device."""
    folder = drive.point / f"t{os.urandom(4).hex()}"
    folder.mkdir()
    yield folder
    os.sync()
    assert MARK not in drive.raw()


def refused(step: Callable[[], object]) -> None:
    with pytest.raises(PermissionError):
        step()


def ran(*command: object, at: Path) -> int:
    return subprocess.run([*map(str, command)], cwd=at, capture_output=True, stdin=subprocess.DEVNULL).returncode


def gone(path: Path) -> None:
    """What was refused goes when the kernel tells of the last close, which nobody waits for."""
    eventually(lambda: not path.exists())


def content_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def sources(tmp_path: Path, content: bytes) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "one.txt").write_bytes(content)
    (folder / "clean.bin").write_bytes(os.urandom(300_000))
    return folder


COPIES = {
    "cp": ["cp", "one.txt", "{to}/one.txt"],
    "mv": ["mv", "one.txt", "{to}/one.txt"],
    "dd": ["dd", "if=one.txt", "of={to}/one.txt"],
    "dd direct": ["dd", "if=one.txt", "of={to}/one.txt", "bs=4096", "oflag=direct", "conv=sync"],
    "dd fsync": ["dd", "if=one.txt", "of={to}/one.txt", "conv=fsync"],
    "cat": ["sh", "-c", "cat one.txt > {to}/one.txt"],
    "install": ["install", "-m", "600", "one.txt", "{to}/one.txt"],
    "tee": ["sh", "-c", "tee {to}/one.txt < one.txt"],
    "rsync": ["rsync", "-a", "one.txt", "{to}/one.txt"],
    "tar": ["sh", "-c", "tar cf - one.txt | tar xf - -C {to}"],
}


@pytest.mark.parametrize("way", COPIES)
def test_copying_with_a_program(way: str, place: Path, tmp_path: Path) -> None:
    command = [word.format(to=place) for word in COPIES[way]]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    source = sources(tmp_path, SECRET)
    assert ran(*command, at=source) != 0 or way == "tee"  # tee does not look at the error of close(2)
    gone(place / "one.txt")
    (source / "one.txt").write_bytes(CLEAN * 999)
    assert ran(*command, at=source) == 0
    copied = (place / "one.txt").read_bytes()
    assert copied.rstrip(b"\0") == CLEAN * 999


def test_a_tree(place: Path, tmp_path: Path) -> None:
    source = tmp_path / "tree"
    for number in range(40):
        (source / f"{number}" / "below").mkdir(parents=True)
        (source / f"{number}" / "below" / "clean").write_bytes(os.urandom(2000))
        (source / f"{number}" / "secret").write_bytes(SECRET)
        (source / f"{number}" / "link").symlink_to("below/clean")
    assert ran("cp", "-a", source, place / "tree", at=tmp_path) == 1
    eventually(lambda: not list(place.rglob("secret")))
    for number in range(40):
        (source / f"{number}" / "secret").unlink()
    assert ran("diff", "-r", "--no-dereference", source, place / "tree", at=tmp_path) == 0
    one = place / "tree" / "1" / "below" / "clean"
    assert one.stat().st_mtime_ns == (source / "1" / "below" / "clean").stat().st_mtime_ns
    with tarfile.open(tmp_path / "back.tar", "w") as out:
        out.add(place / "tree")
    shutil.rmtree(place / "tree")
    assert not (place / "tree").exists()


def test_python_copies_and_writes(place: Path, tmp_path: Path) -> None:
    source = sources(tmp_path, SECRET)
    refused(lambda: shutil.copy(source / "one.txt", place))
    refused(lambda: (place / "written").write_bytes(SECRET))
    shutil.copy2(source / "clean.bin", place)
    assert (place / "clean.bin").read_bytes() == (source / "clean.bin").read_bytes()


def test_fsync_says_so_and_so_does_each_close_after_it(place: Path) -> None:
    descriptor = os.open(place / "x", os.O_CREAT | os.O_RDWR)
    os.write(descriptor, SECRET)
    refused(lambda: os.fsync(descriptor))
    refused(lambda: os.close(os.dup(descriptor)))
    assert os.pread(descriptor, 99, 0) == SECRET, "who wrote it may still read it"
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, CLEAN, 0)
    os.fsync(descriptor)
    os.close(descriptor)
    assert (place / "x").read_bytes() == CLEAN


def test_saving_as_editors_and_offices_do(place: Path) -> None:
    """A new file beside the old one, renamed over it: what is refused leaves the old one."""
    document = place / "document.odt"
    document.write_bytes(CLEAN)
    refused(lambda: (place / "lu123.tmp").write_bytes(SECRET))
    gone(place / "lu123.tmp")
    with pytest.raises(FileNotFoundError):
        (place / "lu123.tmp").rename(document)
    assert document.read_bytes() == CLEAN
    (place / "lu124.tmp").write_bytes(CLEAN * 2)
    (place / "lu124.tmp").rename(document)
    assert document.read_bytes() == CLEAN * 2
    # As others do: the old one steps aside, is removed in the end.
    document.rename(place / "document.bak")
    document.write_bytes(CLEAN * 3)
    (place / "document.bak").unlink()
    assert os.listdir(place) == ["document.odt"] and document.read_bytes() == CLEAN * 3


@pytest.mark.parametrize("reading", [False, True], ids=["nobody reads", "somebody reads the old one"])
def test_renamed_while_open(place: Path, reading: bool) -> None:
    old = place / "old"
    old.write_bytes(CLEAN)
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(old.open("rb")) if reading else None
        writer = os.open(place / "new", os.O_CREAT | os.O_WRONLY)
        os.write(writer, SECRET)
        (place / "new").rename(old)
        refused(lambda: os.close(writer))
        if reader is not None:
            assert reader.read() == CLEAN
    eventually(lambda: old.exists() and old.read_bytes() == CLEAN)
    assert os.listdir(place) == ["old"]


def test_a_folder_renamed_while_a_file_in_it_is_open(place: Path) -> None:
    (place / "a").mkdir()
    with (place / "a" / "f").open("wb") as out:
        out.write(CLEAN)
        (place / "a").rename(place / "b")
        refused_by_the_tree = pytest.raises(OSError, match="not empty")
        with refused_by_the_tree:
            (place / "b").rmdir()
    assert (place / "b" / "f").read_bytes() == CLEAN


def test_mapped_memory(place: Path) -> None:
    (place / "m").write_bytes(bytes(8192))

    def write(data: bytes) -> None:
        with (place / "m").open("r+b") as file, mmap.mmap(file.fileno(), 8192) as memory:
            memory[4000 : 4000 + len(data)] = data
            memory.flush()

    refused(lambda: write(SECRET))
    eventually(lambda: (place / "m").read_bytes() == bytes(8192))
    write(b"clean")
    assert (place / "m").read_bytes()[4000:4005] == b"clean"


def test_sqlite(place: Path) -> None:
    database = place / "db.sqlite"
    with contextlib.closing(sqlite3.connect(database)) as one, contextlib.closing(sqlite3.connect(database)) as other:
        one.execute("create table t (a)")
        one.executemany("insert into t values (?)", [(f"row {number}",) for number in range(500)])
        one.commit()
        assert other.execute("select count(*) from t").fetchone() == (500,)
        other.execute("insert into t values ('another')")
        other.commit()
        with pytest.raises(sqlite3.OperationalError):
            one.execute("insert into t values (?)", (SECRET.decode(),))
            one.commit()
    with contextlib.closing(sqlite3.connect(database)) as again:
        assert again.execute("pragma integrity_check").fetchone() == ("ok",)
        assert again.execute("select count(*) from t").fetchone() == (501,)


def test_sed_in_place_and_appending(place: Path) -> None:
    (place / "f").write_bytes(CLEAN)
    assert ran("sed", "-i", "s/noon/one/", "f", at=place) == 0
    assert ran("sed", "-i", f"s/one/{MARK.decode()}/", "f", at=place) != 0
    assert (place / "f").read_bytes() == b"Lunch is at one.\n"
    with (place / "f").open("ab") as out:
        out.write(b"more\n")
    refused(lambda: append(place / "f"))
    eventually(lambda: (place / "f").read_bytes() == b"Lunch is at one.\nmore\n")
    os.truncate(place / "f", 5)
    assert (place / "f").read_bytes() == b"Lunch"
    os.truncate(place / "f", 100_000)
    assert (place / "f").stat().st_size == 100_000


def append(path: Path) -> None:
    with path.open("ab") as out:
        out.write(SECRET)


def test_in_pieces_and_a_writer_that_is_killed(place: Path) -> None:
    """The mark in two writes, the second never followed by a close of the writer's own."""
    script = "import os, sys, signal; f = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY); os.write(f, sys.argv[2].encode()); "
    script += "os.write(f, sys.argv[3].encode()); os.kill(os.getpid(), signal.SIGKILL)"
    half = len(MARK) // 2
    done = ran("python3", "-c", script, place / "k", MARK[:half].decode(), MARK[half:].decode(), at=place)
    assert done == -signal.SIGKILL
    gone(place / "k")


def test_links_and_special_files(place: Path) -> None:
    (place / "f").write_bytes(CLEAN)
    os.link(place / "f", place / "g")
    assert (place / "g").stat().st_nlink == 2
    (place / "s").symlink_to("f")
    assert (place / "s").read_bytes() == CLEAN
    refused(lambda: (place / "bad").symlink_to(MARK.decode()))
    refused(lambda: os.mkfifo(place / "fifo"))
    refused(lambda: os.mknod(place / "null", 0o600 | 0o020000, os.makedev(1, 3)))
    with pytest.raises(OSError, match="not supported"):
        os.setxattr(place / "f", "user.note", SECRET)
    assert os.mkdir(place / "d", 0o750) is None and (place / "d").stat().st_mode & 0o777 == 0o750


def test_removed_while_open(place: Path) -> None:
    with (place / "u").open("w+b") as file:
        file.write(CLEAN)
        file.flush()
        os.unlink(place / "u")
        assert not [name for name in os.listdir(place) if not name.startswith(".fuse_hidden")]
        file.write(SECRET)
        file.seek(0)
        assert file.read() == CLEAN + SECRET
        assert os.fstat(file.fileno()).st_size == len(CLEAN + SECRET)
    eventually(lambda: os.listdir(place) == [])


def test_attributes(place: Path) -> None:
    with (place / "a").open("wb") as out:
        out.write(CLEAN)
        os.fchmod(out.fileno(), 0o640)
        os.fchown(out.fileno(), 1234, 2345)
        out.flush()
        os.utime(place / "a", ns=(10**18, 10**18 + 7))
    found = (place / "a").stat()
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid, found.st_mtime_ns) == (0o640, 1234, 2345, 10**18 + 7)
    os.chmod(place / "a", 0o600)
    os.utime(place / "a", (1, 2))
    found = (place / "a").stat()
    assert (found.st_mode & 0o777, found.st_atime, found.st_mtime) == (0o600, 1, 2)
    with (place / "a").open("r+b") as out:
        out.write(b"Supper")
    assert (place / "a").stat().st_mode & 0o777 == 0o600 and (place / "a").stat().st_uid == 1234
    assert os.statvfs(place).f_blocks > 1000


def test_names_that_are_no_text(place: Path) -> None:
    name = os.fsencode(place) + b"/\xff\xfe caf\xe9"
    with open(name, "wb") as out:
        out.write(CLEAN)
    assert os.listdir(os.fsencode(place)) == [b"\xff\xfe caf\xe9"]
    with open(name, "rb") as file:
        assert file.read() == CLEAN


def test_names_swapped_are_not(place: Path) -> None:
    """RENAME_EXCHANGE is refused rather than done as a plain rename, which would remove one of the two."""
    for name in "ab":
        (place / name).write_text(name)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.renameat2(-100, bytes(place / "a"), -100, bytes(place / "b"), _RENAME_EXCHANGE) == -1
    assert ctypes.get_errno() == errno.EINVAL
    assert [(place / name).read_text() for name in "ab"] == ["a", "b"]


def test_empty_files_and_a_shell_that_opens_twice(place: Path) -> None:
    assert ran("sh", "-c", "touch e; : > n; echo old > o; [ -e e ] && mv e f", at=place) == 0
    eventually(lambda: sorted(os.listdir(place)) == ["f", "n", "o"])
    assert ran("bash", "-c", f"echo '{MARK.decode()}' > o", at=place) in (0, 1)  # it may not look at the error
    eventually(lambda: (place / "o").read_bytes() == b"old\n")


def test_who_only_reads_hears_of_no_refusal(place: Path) -> None:
    writer = os.open(place / "w", os.O_CREAT | os.O_WRONLY)
    os.write(writer, SECRET)
    refused(lambda: os.fsync(writer))
    assert (place / "w").read_bytes() == SECRET
    refused(lambda: os.close(writer))


def test_what_is_written_is_seen_at_once_by_others(place: Path) -> None:
    with (place / "shared").open("wb", buffering=0) as out:
        out.write(CLEAN)
        assert (place / "shared").read_bytes() == CLEAN
        assert (place / "shared").stat().st_size == len(CLEAN)


def test_two_writers_race(place: Path) -> None:
    """One writes what is clean, the other what is not, to one file: never a byte of the latter on the device."""
    path = place / "raced"

    def write(content: bytes, again: bool) -> None:
        with contextlib.suppress(PermissionError):
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR | (0 if again else os.O_TRUNC))
            try:
                for start in range(0, len(content), 16):
                    os.pwrite(descriptor, content[start : start + 16], start)
            finally:
                with contextlib.suppress(PermissionError):
                    os.fsync(descriptor)
                os.close(descriptor)

    for number in range(ROUNDS):
        writers = [threading.Thread(target=write, args=(content, bool(number % 2))) for content in (SECRET * 3, CLEAN * 6)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        eventually(lambda: MARK not in content_of(path))


def test_the_notice(drive: Standing, place: Path) -> None:
    refused(lambda: (place / "报价.txt").write_bytes(SECRET))
    notice = drive.point / "DLP-REFUSED.txt"
    assert "报价.txt" in notice.read_text("utf-8") and "inc-1" in notice.read_text("utf-8")
    assert "DLP-REFUSED.txt" in os.listdir(drive.point)
    refused(lambda: notice.write_text("x"))
    refused(notice.unlink)
    os.sync()
    assert b"DLP-REFUSED" not in drive.raw()


# Drives that fail, fill up, or go away


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[..., contextlib.AbstractContextManager[Standing]]]:
    """Makes a drive for one test."""
    with contextlib.ExitStack() as stack:

        def make(**choices: int) -> contextlib.AbstractContextManager[Standing]:
            made = image(tmp_path / "own.img", size=16 << 20)
            device = stack.enter_context(looped(made))
            stack.enter_context(judge(tmp_path / "state"))
            return gated(tmp_path, device, made, **choices)

        yield make


Make = Callable[..., contextlib.AbstractContextManager[Standing]]


def test_a_full_drive_says_so_and_keeps_what_it_had(own: Make) -> None:
    with own() as drive:
        (drive.point / "kept").write_bytes(CLEAN)
        with pytest.raises(OSError, match="No space"):
            (drive.point / "kept").write_bytes(os.urandom(20 << 20))
        eventually(lambda: (drive.point / "kept").read_bytes() == CLEAN)
        assert (drive.point / "kept").read_bytes() == CLEAN
        (drive.point / "fits").write_bytes(CLEAN)


def test_full_staging_says_so(own: Make, tmp_path: Path) -> None:
    with own(reserve=1 << 60, memory=1 << 20) as drive:
        (drive.point / "small").write_bytes(CLEAN)
        with pytest.raises(OSError, match="No space"):
            (drive.point / "large").write_bytes(bytes(3 << 20))
        eventually(lambda: not (drive.point / "large").exists())
        assert (drive.point / "small").read_bytes() == CLEAN


def test_what_waits_on_the_disk_is_judged_the_same(own: Make) -> None:
    with own(memory=1 << 20) as drive:
        content = os.urandom(3 << 20)
        (drive.point / "clean").write_bytes(content)
        assert (drive.point / "clean").read_bytes() == content
        refused(lambda: (drive.point / "bad").write_bytes(SECRET + content))
        gone(drive.point / "bad")
        os.sync()
        assert MARK not in drive.raw()


@pytest.mark.long
def test_a_drive_for_reading_only(own: Make) -> None:
    with own() as drive:
        (drive.point / "kept").write_bytes(CLEAN)
        drive.end()
        with (
            looped(drive.image, read_only=True) as device,
            gated(drive.point.parent, device, drive.image, read_only=True) as again,
        ):
            assert (again.point / "kept").read_bytes() == CLEAN
            with pytest.raises(OSError, match="Read-only"):
                (again.point / "new").write_bytes(CLEAN)


def test_a_gate_that_is_killed_fails_closed(own: Make) -> None:
    with own() as drive:
        (drive.point / "kept").write_bytes(CLEAN)
        descriptor = os.open(drive.point / "open", os.O_CREAT | os.O_WRONLY)
        os.write(descriptor, SECRET)
        drive.process.kill()
        drive.process.wait()
        for step in (lambda: os.write(descriptor, CLEAN), lambda: (drive.point / "x").write_bytes(CLEAN)):
            with pytest.raises(OSError, match=r"not connected|abort"):
                step()
        with contextlib.suppress(OSError):
            os.close(descriptor)
        subprocess.run(["umount", drive.point], check=True)
        assert drive.point.stat().st_mode & 0o777 == 0 and drive.point.stat().st_uid == 0
        done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "touch", drive.point / "bare"], capture_output=True)
        assert done.returncode and b"denied" in done.stderr
        os.sync()
        assert MARK not in drive.raw()


def test_nobody_else_reaches_the_device_s_own_mount(own: Make) -> None:
    with own() as drive:
        table = Path("/proc/self/mountinfo").read_text()
        (line,) = [line for line in table.splitlines() if str(drive.point) in line]
        assert " fuse.dlp-gate " in line and "nosuid" in line and "nodev" in line and "noexec" in line
        inside = Path(f"/proc/{drive.process.pid}/mountinfo").read_text()
        assert not [one for one in inside.splitlines() if " ext4 /dev/loop" in one and str(drive.point) in one]


@pytest.mark.long
def test_unmounted_while_it_is_used(own: Make) -> None:
    with own() as drive:
        with (drive.point / "open").open("wb", buffering=0) as out:
            out.write(CLEAN)
            subprocess.run(["umount", "-l", drive.point], check=True)
            out.write(CLEAN)
        assert drive.process.wait(timeout=20) == 0
        with gated(drive.point.parent, *_again(drive)) as again:
            assert (again.point / "open").read_bytes() == CLEAN * 2


def _again(drive: Standing) -> tuple[str, Path]:
    found = subprocess.run(["losetup", "-nO", "NAME", "-j", drive.image], capture_output=True, text=True, check=True)
    return found.stdout.split()[0], drive.image


@pytest.mark.long
def test_what_an_interrupted_copy_left_is_removed(own: Make, tmp_path: Path) -> None:
    with own() as drive:
        (drive.point / "kept").write_bytes(CLEAN)
        drive.end()
        plain = tmp_path / "plain"
        plain.mkdir()
        subprocess.run(["mount", _again(drive)[0], plain], check=True)
        (plain / ".dlp-gate-0123456789abcdef").write_bytes(CLEAN)
        subprocess.run(["umount", plain], check=True)
        with gated(drive.point.parent, *_again(drive)) as again:
            assert sorted(os.listdir(again.point)) == ["kept", "lost+found"]
            refused(lambda: (again.point / ".dlp-gate-x").write_bytes(CLEAN))


def test_a_drive_that_fails_everything(own: Make) -> None:
    """As a stick that was pulled: the file system is shut down (EXT4_IOC_SHUTDOWN), after which the kernel answers EIO."""
    with own() as drive:
        (drive.point / "kept").write_bytes(CLEAN)
        (drive.point / "read").write_bytes(CLEAN)
        os.sync()

        def cut() -> None:
            with (drive.point / "cut").open("wb", buffering=0) as out:
                out.write(os.urandom(1 << 20))
                _shut_down(drive.process.pid)
                out.write(CLEAN)

        with pytest.raises(OSError, match="Input/output"):
            cut()
        with pytest.raises(OSError, match="Input/output"):
            (drive.point / "kept").write_bytes(CLEAN * 2)
        refused(lambda: (drive.point / "held").write_bytes(SECRET))
        drive.end()
        with gated(drive.point.parent, *_again(drive)) as again:
            assert sorted(os.listdir(again.point)) == ["kept", "lost+found", "read"]
            assert (again.point / "kept").read_bytes() == CLEAN
        os.sync()
        assert MARK not in drive.raw()


def _shut_down(process: int) -> None:
    """By way of the gate's own descriptor of the drive's root: there is no other way to it."""
    for link in Path(f"/proc/{process}/fd").iterdir():
        if os.readlink(link) == "/":
            root = os.open(f"{link}/.", os.O_RDONLY)
            try:
                fcntl.ioctl(root, _EXT4_IOC_SHUTDOWN, (2).to_bytes(4, "little"))  # EXT4_GOING_FLAGS_NOLOGFLUSH
            except OSError as error:
                if error.errno != errno.ENOTTY:
                    raise
            else:
                return
            finally:
                os.close(root)
    raise AssertionError("no descriptor of the drive's root")
