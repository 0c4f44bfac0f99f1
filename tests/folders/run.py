"""What shares must bear, played on a real daemon: bursts, moved trees, kills, full disks, calls into the kernel that fail.

Each scenario takes a folder of its own and what to tell progress with, and raises AssertionError where something was
lost, taken twice, or not the same afterwards. What is classified bears a number, so that every file is like no other.
"""

import contextlib
import hashlib
import io
import itertools
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import structlog

from dlp.cli import main
from dlp.instance import now
from dlp.store.stores import Stores
from tests.helpers.daemon import Daemon, configure, eventually, started
from tests.helpers.trace import Call, traced

Say = Callable[[str], None]
CLEAN = 'dlp_items_total{action="allow",channel="share"}'
QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")

FAULTS = (
    ("fsync", "EIO"),
    ("fdatasync", "EIO"),
    ("rename", "EIO"),
    ("renameat", "EIO"),
    ("unlinkat", "EIO"),
    ("write", "ENOSPC"),
    ("pwrite64", "ENOSPC"),
    ("pread64", "EIO"),
    ("openat", "EIO"),
)
"""Calls that are made to fail, one after the other, while a classified file is taken."""

DISKS = (("ext4", 1024), ("ext4", 4096), ("xfs", 1024), ("xfs", 4096))
"""File systems, and the sizes of their blocks."""

numbers = itertools.count(1)


def classified(size: int = 0) -> bytes:
    """A classified text like no other, of `size` bytes more than it needs."""
    return f"机密★10年\n第{next(numbers)}号\n".encode() + os.urandom((size + 1) // 2).hex().encode()[:size]


def asked(config: Path, *arguments: str) -> tuple[object, str]:
    """Exit status and output of a command, run in this process, which spares its start; logging is as before afterwards."""
    handlers, level, status = logging.root.handlers[:], logging.root.level, object()
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
        try:
            main([*arguments, "--config", str(config)])
        except SystemExit as end:
            status = end.code
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()
    return status, said.getvalue()


def in_custody(config: Path) -> list[dict[str, Any]]:
    """What is held, as the command tells it."""
    status, said = asked(config, "quarantine", "list", "--state", "held", "--json")
    assert status == 0, said
    return [json.loads(line) for line in said.splitlines()]


def held(daemon: Daemon) -> Counter[tuple[str, str]]:
    """How many originals are in custody of each file name and content."""
    rows = in_custody(daemon.config)
    return Counter((Path(row["origin"]["path"]).name, row["sha256"]) for row in rows)


def remaining(share: Path) -> list[Path]:
    """Files in the share, notices left out."""
    return [path for path in share.rglob("*") if path.is_file() and not path.name.endswith(".dlp.txt")]


def taken_once(daemon: Daemon, files: dict[str, bytes], *, seconds: float = 120) -> None:
    """Each of `files` ends in custody exactly once and nowhere else, and the records hold."""
    eventually(lambda: not remaining(daemon.share), seconds=seconds)
    wanted = Counter((name, hashlib.sha256(content).hexdigest()) for name, content in files.items())
    assert held(daemon) == wanted, (held(daemon) - wanted, wanted - held(daemon))
    sound(daemon)


def sound(daemon: Daemon) -> None:
    assert daemon.process.poll() is None, daemon.log[-2000:]
    for verb in ("audit", "quarantine"):
        status, said = asked(daemon.config, verb, "verify")
        assert status == 0, said


def burst(folder: Path, say: Say, *, files: int = 50_000) -> None:
    """So many files at once, past the kernel's queue: the overflow is counted, and every file is inspected.

    The daemon stands still meanwhile, as on a machine with too much to do; else the burst might just fit.
    """
    assert 2 * files > int(QUEUE.read_text()), f"raise the number of files: the queue holds {QUEUE.read_text()}"
    with started(configure(folder)) as daemon:
        begun = time.monotonic()
        daemon.process.send_signal(signal.SIGSTOP)
        for n in range(files):
            (daemon.share / f"{n}.txt").write_text(f"note {n}\n", "utf-8")
        daemon.process.send_signal(signal.SIGCONT)
        wrote = time.monotonic()
        eventually(lambda: daemon.metric("dlp_watch_overflows_total"), seconds=60)
        eventually(lambda: daemon.metric(CLEAN) >= files, seconds=60 + files / 10)
        ended = time.monotonic()
        eventually(lambda: not daemon.metric('dlp_queue_items{channel="share"}'), seconds=60)
        overflows, entries = daemon.metric("dlp_watch_overflows_total"), daemon.metric("dlp_journal_entries")
        assert daemon.metric(CLEAN) == files, "each version is judged once"
        assert entries == files, entries
        say(f"{files} files in {wrote - begun:.1f} s: {overflows:.0f} overflow, all inspected {ended - wrote:.1f} s later")
        say(f"{files / (ended - wrote):.0f} files/s")


def trees(folder: Path, say: Say, *, folders: int = 200, files: int = 10, moved: int = 1100) -> None:
    """`cp -r` and `mv` of trees are inspected whole; of many directories moved out and back the next event is heard."""
    source, total = folder / "source", folders * files
    for n, m in itertools.product(range(folders), range(files)):
        (source / f"{n}").mkdir(parents=True, exist_ok=True)
        (source / f"{n}" / f"{m}.txt").write_text(f"note {n} {m}\n", "utf-8")
    for n in range(moved):
        (folder / "share" / "many" / f"{n}").mkdir(parents=True)
    with started(configure(folder)) as daemon:
        subprocess.run(["cp", "-r", source, daemon.share / "copied"], check=True)
        eventually(lambda: daemon.metric(CLEAN) >= total, seconds=60 + total / 10)
        source.rename(daemon.share / "moved")
        eventually(lambda: daemon.metric(CLEAN) >= 2 * total, seconds=60 + total / 10)
        time.sleep(1)
        assert daemon.metric(CLEAN) == 2 * total
        say(f"cp -r and mv of {folders} directories: {total} and {total} files, all inspected")
        (daemon.share / "many").rename(folder / "away")
        (folder / "away").rename(daemon.share / "many")
        plan = daemon.share / "many" / f"{moved - 1}" / "plan.txt"
        plan.write_bytes(classified())
        begun = time.monotonic()
        eventually(lambda: not plan.exists())
        took = time.monotonic() - begun
        say(f"{moved} directories moved out and back: the next event was enforced after {took:.2f} s")
        assert took < 2, took


def kills(folder: Path, say: Say, *, rounds: int = 50, files: int = 6, seed: int = 1) -> None:
    """kill -9 again and again while classified files arrive: each ends in custody once, and is released as it was."""
    config, chance, wrote = configure(folder), random.Random(seed), dict[str, bytes]()
    for round_ in range(rounds):
        with started(config) as daemon:
            arriving = threading.Thread(target=_arrive, args=(daemon.share, f"{round_}", files, chance.random(), wrote))
            arriving.start()
            time.sleep(chance.uniform(0.2, 1.5))
            daemon.kill()
            arriving.join()
    with started(config) as daemon:
        taken_once(daemon, wrote)
        say(f"{rounds} kills: {len(wrote)} classified files, each in custody once")
        for row in in_custody(config):
            assert asked(config, "quarantine", "release", row["id"], "--reason", "test")[0] == 0
        time.sleep(2)  # nothing takes them again
        back = {path.name: path.read_bytes() for path in remaining(daemon.share)}
        assert back == wrote
        assert not [path for path in daemon.share.iterdir() if path.name.endswith(".dlp.txt")], "a notice stayed"
        say(f"{len(back)} released, byte for byte what they were")


def _arrive(share: Path, prefix: str, files: int, pause: float, wrote: dict[str, bytes]) -> None:
    for n in range(files):
        wrote[f"{prefix}-{n}.txt"] = content = classified(size=n * 10_000)
        (share / f"{prefix}-{n}.txt").write_bytes(content)
        time.sleep(pause / files)


@contextlib.contextmanager
def file_system(folder: Path, kind: str, block: int, megabytes: int) -> Iterator[Path]:
    """A loop-mounted file system of its own."""
    image, place = folder / f"{kind}-{block}.img", folder / f"{kind}-{block}"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    make = {"ext4": ["mkfs.ext4", "-q", "-m", "0", "-b"], "xfs": ["mkfs.xfs", "-q", "-b"]}[kind]
    subprocess.run([*make, f"size={block}" if kind == "xfs" else f"{block}", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)
        image.unlink()


def fill(place: Path) -> Path:
    """Take every byte there is, by a file whose name is returned."""
    filler = place / "filler"
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT)
    size = 1 << 30
    end = 0
    while size:
        try:
            os.posix_fallocate(descriptor, end, size)
            end += size
        except OSError:
            size //= 2
    os.close(descriptor)
    return filler


def disks(folder: Path, say: Say, *, kinds: tuple[tuple[str, int], ...] = DISKS, running: bool = True) -> None:
    """State and share on one file system that is full to the last byte: the daemon says so, starts all the same, and takes
    everything once there is room. `running`: it is filled up while the daemon runs as well."""
    for kind, block in kinds:
        with file_system(folder, kind, block, 24 if kind == "ext4" else 300) as place:
            ours = folder / f"{kind}-{block}.daemon"  # its log does not lie on the full disk
            ours.mkdir()
            for name in ("state", "share"):
                (place / name).mkdir(mode=0o700)
                (ours / name).symlink_to(place / name)
            config, files = configure(ours), {f"{n}.txt": classified(n * 20_000) for n in range(6)}
            if running:
                _fills_up(config, place, files)
            else:
                Stores.open(place / "state", clock=now).close()
            _starts_full(config, place, files)
            say(f"{kind}, blocks of {block}: full from the start, said so, and took {len(files)} files once there was room")


def _fills_up(config: Path, place: Path, files: dict[str, bytes]) -> None:
    """Half of the files come while the disk fills up under a running daemon, which is then killed."""
    with started(config) as daemon:
        early = dict(list(files.items())[:3])
        for name, content in early.items():
            (daemon.share / name).write_bytes(content)
        filler = fill(place)
        eventually(lambda: "disk" in daemon.get("/readyz")[1], seconds=30)
        assert "not ready: disk" in asked(config, "status")[1]
        taken = held(daemon)
        assert all((daemon.share / name).exists() or taken[name, _sha(content)] for name, content in early.items())
        daemon.kill()
    filler.unlink()


def _starts_full(config: Path, place: Path, files: dict[str, bytes]) -> None:
    """The other half is there when it starts on a disk without a byte, and without the ballast it could let go."""
    share, log = place / "share", config.parent / "stderr"
    late = dict(list(files.items())[3:])
    for name, content in (late if remaining(share) or any(share.iterdir()) else files).items():
        (share / name).write_bytes(content)
    (place / "state" / "ballast").unlink(missing_ok=True)
    filler = fill(place)
    said = len(log.read_text("utf-8")) if log.exists() else 0
    with started(config, full=True) as daemon:
        assert daemon.get("/readyz") == (503, "disk\nchannels\n")
        assert daemon.get("/healthz")[0] == 200
        assert "not ready: disk" in asked(config, "status")[1]
        assert "the disk is full" in log.read_text("utf-8")[said:]
        assert all((share / name).read_bytes() == content for name, content in late.items())
        filler.unlink()
        eventually(lambda: daemon.get("/readyz") == (200, "ok\n"), seconds=60)
        taken_once(daemon, files)
        assert daemon.stop() == 0


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def faults(folder: Path, say: Say, *, calls: tuple[tuple[str, str], ...] = FAULTS, step: int = 1, most: int = 60) -> None:
    """Each call of a kind in turn is made to fail while a classified file is taken: it stays where it is or is in custody, and
    in the end it is in custody, once."""
    with started(configure(folder)) as daemon:
        files = dict[str, bytes]()
        for call, error in calls:
            failed = 0
            for when in range(1, most, step):
                name, content = f"{call}-{when}.txt", classified()
                injected = _failing(daemon, name, content, f"{call}:error={error}:when={when}")
                files[name] = content
                if not injected:
                    break
                failed += 1
                taken_or_there = (daemon.share / name).exists() or held(daemon)[name, _sha(content)]
                assert taken_or_there or _hidden(daemon.share, name), (name, injected)
            assert failed, f"no {call} was made to fail"
            eventually(lambda: not remaining(daemon.share), seconds=60)
            say(f"{call} {error}: {failed} places made to fail")
        taken_once(daemon, files)
        say(f"{len(files)} files, each in custody once")


def _hidden(share: Path, name: str) -> list[Path]:
    return [path for path in share.iterdir() if path.name.startswith(".dlp-") and path.name.endswith(f"~{name}")]


def _failing(daemon: Daemon, name: str, content: bytes, inject: str) -> list[Call]:
    """Let a file arrive while calls fail; those that did."""
    path, trace = daemon.share / name, daemon.folder / "trace"
    with traced(daemon.process.pid, trace, calls=inject.partition(":")[0], inject=inject) as seen:
        path.write_bytes(content)
        with contextlib.suppress(AssertionError):
            eventually(lambda: not path.exists() or "INJECTED" in trace.read_text("utf-8", "replace"), seconds=10)
        time.sleep(0.3)
    return [call for call in seen.calls if call.injected]


SCENARIOS: dict[str, Callable[[Path, Say], None]] = {
    "burst": burst,
    "trees": trees,
    "kills": kills,
    "disks": disks,
    "faults": faults,
}


def played(name: str, folder: Path, say: Say) -> None:
    """One scenario at its full size, in a folder that is removed if all went well."""
    folder.mkdir()
    SCENARIOS[name](folder, say)
    shutil.rmtree(folder)
