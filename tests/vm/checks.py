"""What is proved in the virtual machine, in order. Each check is told what it found wrong by an AssertionError."""

import hashlib
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.vm.guest import GATED, QUIET, Guest
from tests.vm.sticks import LAYOUTS, holds, make

UNKNOWN, EXCEPTED, PULLED = "VMUNKNOWN1", "VMEXCEPTED1", "VMPULLED1"
FILES = 40
"""Copied when the stick is pulled out."""


def allowed(layout: str) -> str:
    """The serial of the allowed stick of a layout."""
    return f"VMALLOWED{layout.upper()}"


@dataclass
class House:
    """The guest, and the sticks of this run. `clean` and `classified` are the contents that are copied."""

    guest: Guest
    folder: Path
    marker: str = field(default_factory=lambda: f"CANARY{secrets.token_hex(12)}")

    @property
    def clean(self) -> bytes:
        """Found nowhere else: what proves that the raw stick can be searched."""
        return "".join(f"The tide at the harbour on day {day} was fair. {self.marker[::-1]}\n" for day in range(2000)).encode()

    @property
    def classified(self) -> bytes:
        return f"机密★10年\n{self.marker}\n".encode()

    def stick(self, layout: str, name: str) -> Path:
        return make(self.folder / name, layout)

    def give(self, path: str, content: bytes) -> None:
        """Put a file into the guest, in pieces that a command line can hold."""
        self.guest.machine.run(f": > {path}")
        for start in range(0, len(content), 40_000):
            self.guest.machine.run(f"echo {content[start : start + 40_000].hex()} | python3 -c '{_UNHEX}' >> {path}")


_UNHEX = "import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))"


@contextmanager
def plugged(house: House, disk: Path, serial: str | None) -> Iterator[None]:
    """A stick that is in, and pulled out at the end."""
    house.guest.machine.plug(disk.name, disk, serial=serial)
    try:
        yield
    finally:
        house.guest.machine.pull(disk.name)


def the_services_start(house: House) -> None:
    house.guest.configure(*map(allowed, LAYOUTS), PULLED)
    done = house.guest.machine.try_("dlp check", seconds=900)
    assert done.status == 0, done.out + done.err
    house.guest.start()
    for unit in ("dlp", "dlp-guard"):
        assert house.guest.try_(f"systemctl is-active {unit}").status == 0, f"{unit} is not active"
    switches = house.guest.machine.run("cat /sys/bus/usb/devices/usb*/interface_authorized_default").split()
    assert set(switches) == {"0"}, switches


def an_unknown_serial_gives_no_disk(house: House) -> None:
    before = house.guest.disks_made()
    with plugged(house, house.stick("vfat", "unknown"), UNKNOWN):
        assert house.guest.decided(UNKNOWN, "refused"), "it was not refused"
        _stays_quiet(house, before)


def a_stick_without_a_serial_gives_no_disk(house: House) -> None:
    before = house.guest.disks_made()
    with plugged(house, house.stick("vfat", "nameless"), ""):
        house.guest.until("ls /sys/bus/usb/devices | grep -q 2-1:")
        _stays_quiet(house, before)


def an_unknown_serial_gives_no_disk_by_uas_either(house: House) -> None:
    before = house.guest.disks_made()
    house.guest.machine.plug_uas("uas", house.stick("vfat", "uas-disk"), serial=f"{UNKNOWN}UAS")
    try:
        assert house.guest.decided(f"{UNKNOWN}UAS", "refused"), "it was not refused"
        _stays_quiet(house, before)
    finally:
        house.guest.machine.pull_uas("uas")


def a_keyboard_works(house: House) -> None:
    house.guest.machine.add("usb-kbd", "keyboard", 3)
    try:
        assert house.guest.driver("usbhid"), "no driver has the keyboard"
    finally:
        house.guest.machine.remove("keyboard")


def without_the_guard_a_keyboard_works_and_an_unknown_stick_gives_no_disk(house: House) -> None:
    house.guest.machine.run("systemctl kill --signal=KILL dlp-guard; systemctl stop dlp-guard")
    try:
        a_keyboard_works(house)
        before = house.guest.disks_made()
        with plugged(house, house.stick("vfat", "unguarded"), UNKNOWN):
            assert house.guest.until("ls /sys/bus/usb/devices | grep -q 2-1:"), "the device did not come"
            _stays_quiet(house, before)
    finally:
        house.guest.machine.run("systemctl reset-failed dlp-guard; systemctl start dlp-guard", seconds=300)


def _stays_quiet(house: House, before: int) -> None:
    house.guest.machine.run(f"sleep {QUIET}")
    assert house.guest.disks() == []
    assert house.guest.disks_made() == before, "the kernel made a disk"


def a_drive_is_judged(layout: str) -> Callable[[House], None]:
    """An allowed stick of this layout: clean files go on it as they are, classified ones do not."""

    def check(house: House) -> None:
        disk = house.stick(layout, f"allowed-{layout}")
        house.give("/root/clean.txt", house.clean)
        house.give("/root/classified.txt", house.classified)
        with plugged(house, disk, allowed(layout)):
            assert house.guest.decided(allowed(layout), "allowed"), "it was not allowed"
            place = house.guest.mounted()
            _classified(house, place)
            done = house.guest.try_(f"cp /root/clean.txt {place}/clean.txt && sync {place}/clean.txt")
            assert done.status == 0, f"a clean file was not copied: {done.err}"
            house.guest.let_go()
        assert holds(disk, house.clean), "the clean file is not on the raw stick"
        if GATED:
            assert not holds(disk, house.marker.encode()), "classified bytes are on the raw stick"
        with plugged(house, disk, allowed(layout)):
            place = house.guest.mounted()
            summed = house.guest.machine.run(f"sha256sum {place}/clean.txt").split()[0]
            assert summed == hashlib.sha256(house.clean).hexdigest(), "the clean file is not what it was"
            listed = house.guest.machine.run(f"ls -A {place}")
            assert "classified.txt" not in listed.split(), f"the classified file is there: {listed}"
            house.guest.let_go()

    check.__name__ = f"an allowed {layout} stick takes what is clean and nothing classified"
    return check


def _classified(house: House, place: str) -> None:
    held = len(house.guest.rows("quarantine list"))
    done = house.guest.try_(f"cp /root/classified.txt {place}/classified.txt")
    if GATED:
        assert done.status != 0, "copying a classified file succeeded"
    taken = f"! test -e {place}/classified.txt"
    assert house.guest.until(taken), "the classified file is on the stick"
    now = house.guest.rows("quarantine list")
    assert len(now) == held + 1, f"{len(now) - held} originals were taken into custody"


def an_exception_gives_a_disk_until_it_is_revoked(house: House) -> None:
    before = house.guest.disks_made()
    with plugged(house, house.stick("vfat", "excepted"), EXCEPTED):
        assert house.guest.decided(EXCEPTED, "refused")
        house.guest.machine.run(f"dlp devices allow {EXCEPTED} --until 2099-12-31 --reason test", seconds=300)
        assert house.guest.until("lsblk | grep -q ^sd"), "the exception gives no disk"
        assert house.guest.decided(EXCEPTED, "excepted")
        house.guest.machine.run(f"dlp devices revoke {EXCEPTED}", seconds=300)
        assert house.guest.until("! lsblk | grep -q ^sd"), "the disk stays"
        assert house.guest.decided(EXCEPTED, "ended")
    assert house.guest.disks_made() == before + 1


def an_exception_ends_in_time(house: House) -> None:
    with plugged(house, house.stick("vfat", "ending"), EXCEPTED):
        words = f"dlp devices allow {EXCEPTED} --until $(date -d '+4 minutes' +%Y-%m-%dT%H:%M) --reason test"
        house.guest.machine.run(words, seconds=300)
        assert house.guest.until("lsblk | grep -q ^sd"), "the exception gives no disk"
        assert house.guest.until("! lsblk | grep -q ^sd", seconds=600), "the disk stays"


def pulling_the_stick_mid_copy_loses_nothing(house: House) -> None:
    disk = house.stick("vfat", "pulled")
    machine = house.guest.machine
    machine.run(f'mkdir -p /root/many; for n in $(seq {FILES}); do sed "s/^/$n /" /root/clean.txt > /root/many/$n; done')
    machine.run("cd /root/many && sha256sum * > /root/sums")
    machine.plug("pulled", disk, serial=PULLED)
    place = house.guest.mounted()
    copy = f"for n in $(seq {FILES}); do cp /root/many/$n {place}/$n && sync {place}/$n && echo $n >> /run/copied; done"
    machine.run(f"rm -f /run/copied; systemd-run --quiet --unit=copying sh -c '{copy}'")
    assert house.guest.until(f"test $(wc -l < /run/copied) -ge {FILES // 4}"), "copying is too slow"
    machine.pull("pulled")
    assert house.guest.until("! systemctl is-active --quiet copying"), "the copying hangs"
    copied = machine.run("cat /run/copied").split()
    assert len(copied) < FILES, "everything was copied before the stick was pulled"
    if not GATED:
        machine.try_("umount -l /mnt/usb1")
    assert machine.run("cd /root/many && sha256sum --quiet -c /root/sums") == ""
    for unit in ("dlp", "dlp-guard"):
        assert house.guest.try_(f"systemctl is-active {unit}").status == 0, f"{unit} is not active"
    machine.plug("pulled", disk, serial=PULLED)
    try:
        place = house.guest.mounted()
        there = set(machine.run(f"ls {place}").split())
        assert set(copied) <= there, f"lost: {sorted(set(copied) - there)}"
        chosen = "|".join(copied)
        bad = house.guest.try_(f"cd {place} && grep -E '  ({chosen})$' /root/sums | sha256sum --quiet -c -")
        assert bad.status == 0, bad.out
        if GATED:
            half = house.guest.try_(f'cd {place} && for n in $(ls); do grep -E "  $n$" /root/sums; done | sha256sum --quiet -c -')
            assert half.status == 0, f"half a file has its whole name: {half.out}"
        done = house.guest.try_(f"cp /root/clean.txt {place}/after.txt && sync {place}/after.txt")
        assert done.status == 0, f"the stick is not of use any more: {done.err}"
        house.guest.let_go()
    finally:
        machine.pull("pulled")


def everything_is_on_record(house: House) -> None:
    known = {row["serial"]: row for row in house.guest.rows("devices list")}
    assert {UNKNOWN, f"{UNKNOWN}UAS", EXCEPTED, PULLED, *map(allowed, LAYOUTS)} <= known.keys(), sorted(known)
    unknown = known[UNKNOWN]
    assert (unknown["state"], unknown["vendor"], unknown["maker"]) == ("refused", "46f4", "QEMU"), unknown
    log = house.guest.machine.run("cat /var/lib/dlp/audit/audit.jsonl")
    for event in ("device-refused", "device-allowed", "device-excepted", "device-exception-revoked", "device-ended"):
        assert f'"{event}"' in log, f"no {event} in the audit log"
    assert house.marker not in log, "content is in the audit log"
    for words in ("audit verify", "quarantine verify"):
        done = house.guest.machine.try_(f"dlp {words}", seconds=300)
        assert done.status == 0, done.out + done.err


CHECKS: tuple[Callable[[House], None], ...] = (
    the_services_start,
    an_unknown_serial_gives_no_disk,
    a_stick_without_a_serial_gives_no_disk,
    an_unknown_serial_gives_no_disk_by_uas_either,
    a_keyboard_works,
    without_the_guard_a_keyboard_works_and_an_unknown_stick_gives_no_disk,
    *map(a_drive_is_judged, LAYOUTS),
    an_exception_gives_a_disk_until_it_is_revoked,
    an_exception_ends_in_time,
    pulling_the_stick_mid_copy_loses_nothing,
    everything_is_on_record,
)


def folder() -> "tempfile.TemporaryDirectory[str]":
    """Of a run: sockets, console, sticks."""
    return tempfile.TemporaryDirectory(prefix="dlp-vm-")
