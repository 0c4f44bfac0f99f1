"""Custody on disk: tampering, recovery, processes that compete, keys that are missing or open to others."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select, update

from dlp.blob import Blob
from dlp.errors import ConfigError, StoreError
from dlp.model import Channel, Item
from dlp.store import quarantine as module
from dlp.store.database import open_database
from dlp.store.objects import Objects
from dlp.store.process import this_process
from dlp.store.schema import quarantine
from dlp.store.stores import Stores
from tests.store.items import INSPECTION, VERDICT, MakeItem, a_file, now


def object_of(stores: Stores, state: Path, held: str) -> Path:
    return Objects(state / "quarantine").path(held)


def set_row(folder: Path, held: str, /, **values: object) -> None:
    database = open_database(folder)
    with database.write("test") as connection:
        connection.execute(update(quarantine).where(quarantine.c.id == held).values(**values))
    database.close()


def test_objects_and_folders_are_private(stores: Stores, state: Path, make_item: MakeItem) -> None:
    place = object_of(stores, state, stores.quarantine.store(make_item(), "inc-1", VERDICT, {}))
    assert place.stat().st_mode & 0o777 == 0o600
    assert {folder.stat().st_mode & 0o777 for folder in (place.parent, place.parent.parent, state)} == {0o700}
    assert (state / "dlp.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("offset", [0, 5, 12, 20, -1])
def test_a_changed_object_is_told_and_never_yielded(stores: Stores, state: Path, make_item: MakeItem, offset: int) -> None:
    held = stores.quarantine.store(make_item(b"original" * 100), "inc-1", VERDICT, {})
    place = object_of(stores, state, held)
    data = bytearray(place.read_bytes())
    data[offset] ^= 1
    place.write_bytes(data)
    yielded = []
    with pytest.raises(StoreError, match=held):
        for chunk in stores.quarantine.content(held):
            yielded.append(chunk)
    assert yielded == []
    ((found, problem),) = stores.quarantine.verify()
    assert found == held
    assert problem is not None


def test_swapped_objects_are_found(stores: Stores, state: Path, make_item: MakeItem) -> None:
    one, other = (stores.quarantine.store(make_item(data), "inc-1", VERDICT, {}) for data in (b"one", b"two"))
    places = [object_of(stores, state, held) for held in (one, other)]
    contents = [place.read_bytes() for place in places]
    for place, content in zip(places, reversed(contents), strict=True):
        place.write_bytes(content)
    assert all(problem for _held, problem in stores.quarantine.verify())


def test_swapped_rows_and_objects_are_found(stores: Stores, state: Path, make_item: MakeItem) -> None:
    """Even with the envelope moved along: it is bound to its own id."""
    one, other = (stores.quarantine.store(make_item(data), "inc-1", VERDICT, {}) for data in (b"one", b"two"))
    database = open_database(state)
    with database.read("test") as connection:
        envelope = connection.scalar(select(quarantine.c.envelope).where(quarantine.c.id == other))
    database.close()
    set_row(state, one, envelope=envelope)
    object_of(stores, state, one).write_bytes(object_of(stores, state, other).read_bytes())
    assert [problem is None for _held, problem in stores.quarantine.verify()] == [False, True]
    assert [row.id for row in stores.quarantine.list()] == [one, other]


def test_a_wrong_digest_in_the_row_is_found_before_the_end(stores: Stores, state: Path, make_item: MakeItem) -> None:
    held = stores.quarantine.store(make_item(b"x" * (2 << 20)), "inc-1", VERDICT, {})
    set_row(state, held, sha256="0" * 64)
    yielded = []
    with pytest.raises(StoreError, match="SHA-256"):
        for chunk in stores.quarantine.content(held):
            yielded.append(len(chunk))
    assert sum(yielded) < 2 << 20


def test_verify_goes_on_after_a_bad_one(stores: Stores, state: Path, make_item: MakeItem) -> None:
    held = [stores.quarantine.store(make_item(bytes([n])), "inc-1", VERDICT, {}) for n in range(3)]
    object_of(stores, state, held[1]).unlink()
    assert [problem is None for _held, problem in stores.quarantine.verify()] == [True, False, True]
    assert list(stores.quarantine.verify(held[2])) == [(held[2], None)]
    assert dict(stores.quarantine.verify("q-none"))["q-none"] is not None


def test_a_file_that_changes_while_it_is_copied_is_refused(stores: Stores, state: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"before")
    with source.open("rb") as file, Blob.over(file.fileno()) as blob:
        source.write_bytes(b"after!")
        item = Item(id="i", channel=Channel.USB, origin=a_file(), blob=blob, arrived=now())
        with pytest.raises(StoreError, match="not the original"):
            stores.quarantine.store(item, "inc-1", VERDICT, {})
    assert list(stores.quarantine.list()) == []
    assert not [path for path in (state / "quarantine").rglob("*") if path.is_file()]


def test_attributes_that_are_not_json_are_refused_before_anything_is_written(
    stores: Stores, state: Path, make_item: MakeItem
) -> None:
    with pytest.raises(StoreError, match="attributes"):
        stores.quarantine.store(make_item(), "inc-1", VERDICT, {"xattr": b"bytes"})
    assert stores.recover().undone == 0


def failing(*numbers: int) -> Callable[..., None]:
    calls = iter(range(1000))

    def fsync(_descriptor: int) -> None:
        if next(calls) in numbers:
            raise OSError(5, "Input/output error")

    return fsync


@pytest.mark.parametrize("number", range(4))
def test_a_failing_fsync_is_an_error_and_leaves_nothing(
    stores: Stores, state: Path, make_item: MakeItem, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", failing(number))
        try:
            held = stores.quarantine.store(make_item(), "inc-1", VERDICT, {})
        except StoreError:
            assert list(stores.quarantine.list()) == []
            assert not [path for path in (state / "quarantine").rglob("*") if path.is_file()]
        else:
            # There are only so many; this one was not reached.
            assert number == 3
            assert list(stores.quarantine.verify()) == [(held, None)]


DEAD = "00000000-0000-0000-0000-000000000000:1:1"


def test_recovery_undoes_what_a_dead_process_began(stores: Stores, state: Path, make_item: MakeItem) -> None:
    kept, began, drafted = (stores.quarantine.store(make_item(bytes([n])), "inc-1", VERDICT, {}) for n in range(3))
    set_row(state, began, state="intent", holder=DEAD)
    set_row(state, drafted, state="intent", holder=DEAD)
    place = object_of(stores, state, drafted)
    place.rename(place.with_name(f".{drafted}.draft"))
    assert [row.id for row in stores.quarantine.list()] == [kept]
    report = stores.recover()
    assert (report.undone, report.problems) == (2, ())
    assert [path.name for path in (state / "quarantine").glob("*/*")] == [kept]
    assert stores.recover() == module.RecoveryReport()


def test_recovery_leaves_a_living_process_alone(stores: Stores, state: Path, make_item: MakeItem) -> None:
    storing, releasing = (stores.quarantine.store(make_item(bytes([n])), "inc-1", VERDICT, {}) for n in range(2))
    set_row(state, storing, state="intent", holder=this_process())
    with stores.quarantine.releasing(releasing):
        assert stores.recover() == module.RecoveryReport()
    assert object_of(stores, state, storing).exists()


def test_recovery_puts_a_dead_process_s_release_back(stores: Stores, state: Path, make_item: MakeItem) -> None:
    held = stores.quarantine.store(make_item(), "inc-1", VERDICT, {})
    set_row(state, held, state="releasing", holder=DEAD)
    with pytest.raises(StoreError, match="releasing"), stores.quarantine.releasing(held):
        pass
    assert stores.recover().put_back == 1
    with stores.quarantine.releasing(held):
        pass


def test_recovery_erases_what_a_purge_left(stores: Stores, state: Path, make_item: MakeItem) -> None:
    held = stores.quarantine.store(make_item(), "inc-1", VERDICT, {})
    place = object_of(stores, state, held)
    data = place.read_bytes()
    stores.quarantine.purge(held)
    assert not place.exists()
    place.write_bytes(data)
    place.with_name(".q-stranger.draft").write_bytes(b"half")
    assert stores.recover().erased == 2
    assert not list(place.parent.iterdir())


def test_recovery_tells_of_strangers_and_of_what_is_missing_and_removes_neither(
    stores: Stores, state: Path, make_item: MakeItem
) -> None:
    held = stores.quarantine.store(make_item(), "inc-1", VERDICT, {})
    place = object_of(stores, state, held)
    stranger = place.with_name("q-stranger")
    place.rename(stranger)
    unknown, missing = stores.recover().problems
    assert (str(stranger) in unknown, "no record" in unknown) == (True, True)
    assert (held in missing, "missing" in missing) == (True, True)
    assert stranger.exists()


def test_recovery_reports_what_it_cannot_do(
    stores: Stores, state: Path, make_item: MakeItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = stores.quarantine.store(make_item(), "inc-1", VERDICT, {})
    set_row(state, held, state="intent", holder=DEAD)
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", failing(0))
        report = stores.recover()
    assert report.undone == 0
    assert len(report.problems) == 1
    assert stores.recover().undone == 1


def test_of_two_stores_of_the_same_content_one_is_kept(
    stores: Stores, state: Path, make_item: MakeItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both began before either had ended."""
    item = make_item()
    first = stores.quarantine.store(item, "inc-1", VERDICT, {})
    monkeypatch.setattr(stores.quarantine, "_kept", lambda *_: None)
    assert stores.quarantine.store(item, "inc-1", VERDICT, {}) == first
    assert [path.name for path in (state / "quarantine").glob("*/*")] == [first]
    assert stores.quarantine.totals() == (1, len(b"content"))


def test_a_store_whose_record_vanished_is_an_error(
    stores: Stores, state: Path, make_item: MakeItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a second dlp on another machine takes this process for dead."""
    monkeypatch.setattr(module, "this_process", lambda: DEAD)
    real = Objects.write

    def write_and_recover(self: Objects, *args: object, **options: object) -> None:
        real(self, *args, **options)  # type: ignore[arg-type]
        stores.recover()

    monkeypatch.setattr(Objects, "write", write_and_recover)
    with pytest.raises(StoreError, match="vanished"):
        stores.quarantine.store(make_item(), "inc-1", VERDICT, {})


def test_of_two_processes_one_releases(stores: Stores, state: Path, make_item: MakeItem) -> None:
    held = [stores.quarantine.store(make_item(bytes([n])), "inc-1", VERDICT, {}) for n in range(12)]
    go, start = os.pipe()
    children = [_releasing_child(state, held, go, start) for _ in range(2)]
    os.close(go)
    os.close(start)
    won = [_answer(child) for child in children]
    assert won[0] | won[1] == set(held)
    assert won[0] & won[1] == set()
    assert {row.state for row in stores.quarantine.list()} == {"released"}


def _releasing_child(state: Path, held: list[str], go: int, start: int) -> tuple[int, int]:
    answer, told = os.pipe()
    pid = os.fork()
    if pid:
        os.close(told)
        return pid, answer
    status = 1
    try:
        os.close(start)
        mine = Stores.open(state, clock=now)
        os.read(go, 1)  # returns once every writer has closed: all begin together
        won = [one for one in held if _released(mine, one)]
        os.write(told, " ".join(won).encode())
        mine.close()
        status = 0
    finally:
        os._exit(status)


def _released(stores: Stores, held: str) -> bool:
    try:
        with stores.quarantine.releasing(held):
            pass
    except StoreError:
        return False
    return True


def _answer(child: tuple[int, int]) -> set[str]:
    pid, answer = child
    with os.fdopen(answer, "rb") as file:
        won = file.read().decode().split()
    assert os.waitpid(pid, 0)[1] == 0
    return set(won)


def test_a_purge_leaves_no_key_behind(stores: Stores, state: Path, make_item: MakeItem) -> None:
    held = stores.quarantine.store(make_item(), "inc-1", VERDICT, {})
    database = open_database(state)
    with database.read("test") as connection:
        envelope = connection.scalar(select(quarantine.c.envelope).where(quarantine.c.id == held))
    database.close()
    files = [state / "dlp.db", state / "dlp.db-wal"]
    assert envelope
    assert any(envelope in path.read_bytes() for path in files)
    stores.quarantine.purge(held)
    assert not any(envelope in path.read_bytes() for path in files)


def test_without_its_key_file_nothing_opens(stores: Stores, state: Path, make_item: MakeItem) -> None:
    stores.quarantine.store(make_item(), "inc-1", VERDICT, {})
    (state / "quarantine.key").rename(state / "elsewhere.key")
    with pytest.raises(ConfigError, match="missing"):
        Stores.open(state, clock=now)
    assert not (state / "quarantine.key").exists()
    again = Stores.open(state, clock=now, key=state / "elsewhere.key")
    assert all(problem is None for _held, problem in again.quarantine.verify())
    again.close()


def test_another_key_file_is_named_as_the_fault(stores: Stores, state: Path, make_item: MakeItem, tmp_path: Path) -> None:
    held = stores.quarantine.store(make_item(), "inc-1", VERDICT, {"mode": 1})
    other = Stores.open(tmp_path / "other", clock=now)
    other.close()
    again = Stores.open(state, clock=now, key=tmp_path / "other" / "quarantine.key")
    with pytest.raises(StoreError, match="restore its key file"):
        list(again.quarantine.content(held))
    assert [row.attributes for row in again.quarantine.list()] == [{}]
    again.close()


@pytest.mark.parametrize("ending", ["interrupted", "failed", "closed", "damaged", "elsewhere"])
def test_a_file_left_behind_with_its_copy_in_custody_is_not_taken_twice(
    stores: Stores, state: Path, make_item: MakeItem, ending: str
) -> None:
    """A crash, or a folder that is read-only, between custody and removal: the file is judged again later."""
    item = make_item(b"plan")
    first = stores.incidents.open(item, INSPECTION, VERDICT)
    held = stores.quarantine.store(item, first, VERDICT, {"mode": 0o640})
    match ending:
        case "closed":
            stores.incidents.close(first, held=held)
        case "failed":
            stores.incidents.fail(first, "the folder is read-only", held=held)
        case _:
            assert stores.incidents.interrupted() == 1
    if ending == "damaged":
        object_of(stores, state, held).write_bytes(b"damaged")
    again = make_item(b"plan", a_file("/mnt/usb/b.docx")) if ending == "elsewhere" else make_item(b"plan")
    second = stores.incidents.open(again, INSPECTION, VERDICT)
    kept = stores.quarantine.store(again, second, VERDICT, {"mode": 0o640})
    assert (kept == held) == (ending in ("interrupted", "failed"))
    record = stores.quarantine.get(kept)
    assert record is not None
    assert record.incident == second
    assert b"".join(stores.quarantine.content(kept)) == b"plan"
