"""Device control over a made sysfs: what gets a driver, what is recorded, and what ends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dlp.channels import usb_devices_control
from dlp.channels.usb_devices_allow import Entry
from dlp.channels.usb_devices_control import DeviceControl
from dlp.errors import StoreError
from dlp.ports import DeviceException, Sighting
from tests.channels.usb_tree import HUB, KEYBOARD, STORAGE, VENDOR, News, UsbTree
from tests.store.items import now

ANY = pytest.mark.parametrize("action", ["add", "bind"])


class Book:
    """The daemon: records, or does not answer."""

    def __init__(self) -> None:
        self.seen: list[Sighting] = []
        self.excepted: list[DeviceException] = []
        self.answers = True
        self.closed = False

    async def devices(self, sightings: Sequence[Sighting]) -> Sequence[DeviceException]:
        if not self.answers:
            raise StoreError("the daemon does not answer")
        self.seen += sightings
        return list(self.excepted)

    def close(self) -> None:
        self.closed = True

    @property
    def decisions(self) -> list[tuple[str, str]]:
        return [(one.serial, one.decision) for one in self.seen]


class House:
    """A machine with a DeviceControl at work."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.news, self.book = UsbTree(folder), News(), Book()
        self.folder = folder / "guard"
        self.folder.mkdir()
        self.time = now()
        self.rule = folder / "60-dlp.rules"
        self.rule.touch()

    @asynccontextmanager
    async def control(self, *allow: str) -> AsyncIterator[DeviceControl]:
        async def user() -> str:
            return "zhang"

        made = DeviceControl(
            map(Entry.parse, allow),
            self.book,
            folder=self.folder,
            clock=lambda: self.time,
            bus=self.tree.bus,
            user=user,
            rules=[self.rule],
            watch=self.news.listen,
        )
        await made.start()
        try:
            yield made
        finally:
            await made.stop()

    def except_(self, entry: str, until: datetime) -> None:
        self.book.excepted.append(DeviceException(entry=entry, until=until))

    def comes(self, name: str, *kinds: str, serial: str = "", action: str = "add") -> None:
        self.tree.plug(name, *kinds, serial=serial)
        self.news.say(action, f"usb1/{name}")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(usb_devices_control, "ASK_SECONDS", 0.02)
    return House(tmp_path)


async def until(probe: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not probe():
            await asyncio.sleep(0.01)


@ANY
async def test_a_drive_that_is_not_allowed_gets_no_driver_and_one_that_is_gets_it(house: House, action: str) -> None:
    async with house.control("GOOD"):
        assert house.tree.default() == "0"
        house.comes("1-1", STORAGE, serial="BAD", action=action)
        house.comes("1-2", STORAGE, serial="GOOD", action=action)
        await until(lambda: len(house.book.seen) == 2)
        assert house.tree.authorised("1-1") == []
        assert house.tree.authorised("1-2") == ["1-2:1.0"]
        assert house.tree.probed == "1-2:1.0"
    assert house.book.decisions == [("BAD", "refused"), ("GOOD", "allowed")]
    seen = house.book.seen[0]
    assert (seen.vendor, seen.model, seen.maker, seen.product, seen.user) == ("0951", "1666", "Kingston", "Stick", "zhang")


@ANY
@pytest.mark.parametrize("kinds", [(KEYBOARD,), (HUB,), (VENDOR, VENDOR), (KEYBOARD, STORAGE)])
async def test_what_is_no_storage_works_at_once(house: House, action: str, kinds: tuple[str, ...]) -> None:
    async with house.control("GOOD"):
        house.comes("1-1", *kinds, action=action)
        await until(lambda: len(house.tree.authorised("1-1")) == len(kinds) - (STORAGE in kinds))
        await until(lambda: house.tree.probed.count("1-1:1.") == len(kinds) - (STORAGE in kinds))


async def test_what_was_plugged_in_before_is_judged_at_the_start(house: House) -> None:
    house.tree.plug("1-1", STORAGE, KEYBOARD, serial="BAD", drivers=["usb-storage", "usbhid"])
    async with house.control("GOOD"):
        assert house.tree.authorised("1-1") == ["1-1:1.1"]


async def test_where_nothing_is_named_every_drive_is_let_in_and_recorded(house: House) -> None:
    async with house.control("GOOD"):
        house.comes("1-1", STORAGE, serial="ANY")
        await until(lambda: house.book.seen)
        assert (house.folder / "hold-usb").exists()
    assert house.tree.default() == "0"  # it stays held: the udev rule lets keyboards in
    async with house.control():
        assert house.tree.default() == "1"
        assert house.tree.authorised("1-1") == ["1-1:1.0"]
        assert not (house.folder / "hold-usb").exists()
        await until(lambda: len(house.book.seen) == 2)
    assert house.book.decisions == [("ANY", "refused"), ("ANY", "allowed")]


async def test_without_the_udev_rule_nothing_stays_held_that_a_keyboard_would_need(house: House) -> None:
    house.rule.unlink()
    async with house.control("GOOD"):
        assert house.tree.default() == "0"
    assert house.tree.default() == "1"
    assert house.book.closed


async def test_a_controller_that_comes_later_holds_too(house: House) -> None:
    async with house.control("GOOD"):
        house.tree.controller("usb2")
        house.news.say("add", "usb2")
        await until(lambda: house.tree.default("usb2") == "0")


async def test_an_overflow_makes_it_look_at_everything(house: House) -> None:
    async with house.control("GOOD"):
        house.tree.plug("1-1", KEYBOARD)
        house.tree.plug("1-2", STORAGE, serial="GOOD")
        house.news.overflowed()
        await until(lambda: house.tree.authorised("1-1") and house.tree.authorised("1-2"))


async def test_a_storage_driver_that_took_an_interface_of_another_class_is_sent_away(house: House) -> None:
    async with house.control("GOOD"):
        house.comes("1-1", VENDOR, serial="BAD")
        await until(lambda: house.tree.authorised("1-1"))
        house.tree.bind("1-1:1.0", "ums-sddr09")
        house.news.say("bind", "usb1/1-1/1-1:1.0")
        await until(lambda: not house.tree.authorised("1-1"))


async def test_an_exception_lets_a_drive_in_until_it_ends_or_is_revoked(house: House) -> None:
    async with house.control("GOOD"):
        for name, serial in (("1-1", "X"), ("1-2", "Y")):
            house.comes(name, STORAGE, serial=serial)
        await until(lambda: len(house.book.seen) == 2)
        house.except_("X", house.time + timedelta(hours=1))
        house.except_("0951:1666:Y", house.time + timedelta(hours=2))
        await until(lambda: house.tree.authorised("1-1") and house.tree.authorised("1-2"))
        house.time += timedelta(hours=1)
        await until(lambda: not house.tree.authorised("1-1"))
        assert house.tree.authorised("1-2")
        house.book.excepted.clear()
        await until(lambda: not house.tree.authorised("1-2"))
        await until(lambda: len(house.book.seen) == 6)
    assert house.book.decisions[2:] == [("X", "excepted"), ("Y", "excepted"), ("X", "ended"), ("Y", "ended")]


async def test_exceptions_outlive_the_process_and_end_in_time_without_the_daemon(house: House) -> None:
    house.except_("X", house.time + timedelta(hours=1))
    async with house.control("GOOD"):
        await until((house.folder / "device-exceptions.json").exists)
    house.book.answers = False
    async with house.control("GOOD"):
        house.comes("1-1", STORAGE, serial="X")
        await until(lambda: house.tree.authorised("1-1"))
        house.time += timedelta(hours=2)
        await until(lambda: not house.tree.authorised("1-1"))
        house.book.answers = True
        await until(lambda: len(house.book.seen) == 2)
    assert house.book.decisions == [("X", "excepted"), ("X", "ended")]


@pytest.mark.parametrize(
    "text", ["", "[]]", '[["X"]]', '[[1, "2"]]', '[["X", "no time"]]', '[["", "2030-01-01T00:00:00+00:00"]]', "{}3"]
)
async def test_damaged_memory_excepts_nothing(house: House, text: str) -> None:
    (house.folder / "device-exceptions.json").write_text(text)
    house.tree.plug("1-1", STORAGE, serial="X")
    async with house.control("GOOD"):
        assert house.tree.authorised("1-1") == []


async def test_what_the_machine_runs_from_stays(house: House) -> None:
    house.tree.plug("1-1", STORAGE, serial="ROOT", drivers=["usb-storage"])
    partition = (house.tree.names / "1-1:1.0").resolve() / "host0" / "sda1"
    partition.mkdir(parents=True)
    (house.tree.root / "dev" / "block").mkdir(parents=True)
    (house.tree.root / "dev" / "block" / "8:1").symlink_to(partition)
    async with house.control("GOOD"):
        assert house.tree.authorised("1-1") == ["1-1:1.0"]
        await until(lambda: house.book.seen)
    assert house.book.decisions == [("ROOT", "kept")]


async def test_the_same_drive_is_told_once_and_again_when_it_comes_again(house: House) -> None:
    async with house.control("GOOD"):
        house.comes("1-1", STORAGE, serial="GOOD")
        house.news.say("bind", "usb1/1-1")
        house.news.say("bind", "usb1/1-1/1-1:1.0")
        house.comes("1-2", STORAGE, serial="LAST")
        await until(lambda: len(house.book.seen) == 2)
        house.tree.pull("1-1")
        house.news.say("remove", "usb1/1-1")
        house.comes("1-1", STORAGE, serial="GOOD")
        await until(lambda: len(house.book.seen) == 3)
    assert [serial for serial, _ in house.book.decisions] == ["GOOD", "LAST", "GOOD"]


async def test_what_cannot_be_told_is_kept_up_to_a_limit(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usb_devices_control, "MOST_UNTOLD", 2)
    house.book.answers = False
    async with house.control("GOOD"):
        for number in range(1, 4):
            house.comes(f"1-{number}", STORAGE, serial=f"S{number}")
        house.comes("1-9", KEYBOARD)
        await until(lambda: house.tree.authorised("1-9"))
        house.book.answers = True
        await until(lambda: house.book.seen)
    assert [one.serial for one in house.book.seen] == ["S2", "S3"]


async def test_a_sysfs_that_may_not_be_written_keeps_it_from_starting(house: House) -> None:
    attribute = house.tree.names / "usb1" / "interface_authorized_default"
    attribute.unlink()
    attribute.mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        async with house.control("GOOD"):
            pass


async def test_a_device_that_cannot_be_judged_keeps_no_other_waiting(house: House) -> None:
    house.tree.plug("1-1", STORAGE, KEYBOARD, serial="ODD")
    odd = house.tree.names / "1-1:1.0" / "authorized"
    odd.unlink()
    odd.mkdir()
    house.tree.plug("1-2", STORAGE, serial="BAD", drivers=["usb-storage"])
    async with house.control("GOOD"):
        assert house.tree.authorised("1-2") == []


async def test_an_answer_that_makes_no_sense_changes_nothing_and_is_asked_for_again(house: House) -> None:
    house.except_(" ", house.time + timedelta(hours=1))
    async with house.control("GOOD"):
        house.comes("1-1", STORAGE, serial="X")
        await until(lambda: house.tree.default() == "0" and house.book.seen)
        house.book.excepted.clear()
        house.except_("X", house.time + timedelta(hours=1))
        await until(lambda: house.tree.authorised("1-1"))
