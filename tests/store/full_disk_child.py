"""Fills the disk it is given, to the last byte, and tries everything on it. Run by test_disk_full.py."""

import os
import random
import sys
from contextlib import suppress
from pathlib import Path

from dlp.errors import StoreError
from dlp.store.ballast import SIZE
from dlp.store.files import DiskFull
from dlp.store.stores import Stores
from tests.store.items import INSPECTION, VERDICT, an_item, now

chance = random.Random(1)


def fill(disk: Path, name: str) -> Path:
    """A file that takes what space there is."""
    path = disk / name
    with path.open("wb", buffering=0) as file:
        for size in (65536, 1024, 1):
            with suppress(OSError):
                while file.write(b"x" * size):
                    pass
            with suppress(OSError):
                os.fsync(file.fileno())
    return path


def store(stores: Stores, kept: dict[str, str]) -> None:
    item = an_item(chance.randbytes(50_000))
    incident = stores.incidents.open(item, INSPECTION, VERDICT)
    held = stores.quarantine.store(item, incident, VERDICT, {})
    stores.audit.record("held", held=held)
    kept[held] = item.blob.sha256
    item.blob.close()


def attempts_until_full(stores: Stores, kept: dict[str, str]) -> None:
    for _attempt in range(1000):
        try:
            store(stores, kept)
        except DiskFull:
            return
    raise AssertionError("the disk never filled up")


def whole(stores: Stores, kept: dict[str, str]) -> None:
    """All that was acknowledged is there and opens."""
    rows = {row.id: row.sha256 for row in stores.quarantine.list()}
    assert kept.items() <= rows.items(), (kept, rows)
    problems = {held: problem for held, problem in stores.quarantine.verify() if problem and held in kept}
    assert not problems, problems
    report = stores.audit.verify()
    assert not report.problems, report


def refused(stores: Stores, kept: dict[str, str]) -> None:
    """On the full disk each verb works or raises StoreError, and what was kept stays."""
    for _attempt in range(5):
        try:
            store(stores, kept)
        except StoreError:
            continue
        raise AssertionError("50 kB were stored on a full disk")
    whole(stores, kept)


def main() -> None:
    disk, kept = Path(sys.argv[1]), dict[str, str]()
    state = disk / "state"
    spare = disk / "spare"
    spare.write_bytes(bytes(3 * SIZE))
    stores = Stores.open(state, clock=now)
    attempts_until_full(stores, kept)
    assert len(kept) > 5, kept
    first = fill(disk, "first")
    refused(stores, kept)
    stores.close()

    assert (state / "ballast").exists()
    stores = Stores.open(state, clock=now)  # where it cannot open without, the ballast goes
    print("recovered", stores.recover())
    whole(stores, kept)
    fill(disk, "second")
    refused(stores, kept)
    stores.close()

    (disk / "second").unlink()
    first.unlink()
    spare.unlink()
    stores = Stores.open(state, clock=now)
    assert stores.recover().problems == ()
    whole(stores, kept)
    assert (state / "ballast").stat().st_size == SIZE, "there is room for ballast again"
    fill(disk, "third")
    purged = next(iter(kept))
    stores.make_room()
    stores.audit.record("purge", held=purged)
    stores.quarantine.purge(purged)
    del kept[purged]
    (disk / "third").unlink()
    store(stores, kept)
    whole(stores, kept)
    stores.close()
    print("done")


main()
