"""What is asked of the guest in the test: services, drives, decisions. Everything by the words an administrator would type."""

import json
import typing
from typing import Any

from dlp.channels.usb import UsbSettings
from tests.vm.machine import Done, Machine

STRENGTHS: tuple[str, ...] = typing.get_args(typing.get_type_hints(UsbSettings)["strength"])
GATED = "gate" in STRENGTHS
STRENGTH = "gate" if GATED else "detect"
CONFIGURATION = """
profile = "cn-enterprise"
state = "/var/lib/dlp"
policy = "policy.toml"
[signatures]
paths = ["/usr/share/dlp/signatures"]
[limits]
seconds = 300
[workers]
count = 2
[usb]
allow = {allow}
strength = "{strength}"
[metrics]
listen = "127.0.0.1:9108"
"""
SLOW = "[Service]\\nTimeoutStartSec=900\\nWatchdogSec=900\\n"
"""The units' own patience is for machines that are not emulated."""
SECONDS = 180
"""How long the guest may take over what takes a moment elsewhere: it is emulated, on a busy machine."""
QUIET = 5
"""Seconds in which a disk would have come if it came: usb-storage waits one before it looks (its delay_use)."""
BY_HAND = "/mnt/usb1"


class Guest:
    """The machine with `dlp` in it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def configure(self, *allow: str) -> None:
        """Write the configuration with these drives allowed."""
        text = CONFIGURATION.format(allow=json.dumps(allow), strength=STRENGTH)
        self.machine.run(
            f"cat > /etc/dlp/dlp.toml <<'END'\n{text}\nEND\nchgrp dlp /etc/dlp/dlp.toml; chmod 640 /etc/dlp/dlp.toml"
        )

    def start(self) -> None:
        """Start daemon and guard, and note from now on every disk the kernel makes."""
        for unit in ("dlp", "dlp-guard"):
            self.machine.run(
                f"mkdir -p /etc/systemd/system/{unit}.service.d; printf '{SLOW}' > /etc/systemd/system/{unit}.service.d/slow.conf"
            )
        self.machine.run("systemctl daemon-reload")
        self.machine.run("modprobe -a usb-storage uas usbhid vfat exfat")  # so that nothing waits for a module to be loaded
        self.machine.run("systemd-run --quiet --unit=blocks sh -c 'exec udevadm monitor -k -s block >/run/blocks'")
        self.machine.run("systemctl start dlp dlp-guard", seconds=900)

    def until(self, condition: str, *, seconds: int = SECONDS) -> bool:
        """Whether a condition, in words of the shell, holds before the time is up."""
        waited = f"timeout {seconds} bash -c 'until {condition}; do sleep 0.3; done'"
        return self.machine.try_(waited, seconds=seconds + 60).status == 0

    def disks(self) -> list[str]:
        """The disks there are, besides the machine's own."""
        listed = self.machine.run("lsblk --json --nodeps --output NAME,SERIAL")
        return [one["name"] for one in json.loads(listed)["blockdevices"] if not one["name"].startswith("vd")]

    def disks_made(self) -> int:
        """How many disks the kernel has made since `start`."""
        return int(self.machine.run("grep -c ' add .*/block/sd' /run/blocks || true"))

    def decided(self, serial: str, decision: str) -> bool:
        """Whether the guard says so of this drive, in time."""
        said = f"journalctl --quiet --no-pager -u dlp-guard -o cat | grep -F {serial} | grep -qF {decision}"
        return self.until(said)

    def driver(self, kind: str) -> bool:
        """Whether a driver of this name has an interface, in time."""
        return self.until(f"ls /sys/bus/usb/drivers/{kind} 2>/dev/null | grep -q :")

    def mounted(self) -> str:
        """The folder where the user finds the drive that was plugged in; at strength detect it is mounted here."""
        if GATED:
            listed = 'findmnt --noheadings --raw --output TARGET,FSTYPE | grep -E " fuse(\\.|$)"'
            assert self.until(f"{listed} >/dev/null"), "nothing is gated"
            return self.machine.run(f'{listed} | cut -d" " -f1 | tail -n1').strip()
        assert self.until('lsblk --noheadings --raw --output FSTYPE | grep -qE "fat"'), "no file system is found"
        find = 'lsblk --noheadings --raw --paths --output NAME,FSTYPE | grep fat | cut -d" " -f1'
        self.machine.run(f"mkdir -p {BY_HAND} && mount -o umask=000 $({find}) {BY_HAND}")
        watched = f'journalctl --quiet --no-pager -u dlp -o cat | grep -F "drive found" | grep -qF {BY_HAND}'
        assert self.until(watched), "the drive is not watched"
        return BY_HAND

    def let_go(self) -> None:
        """Before a stick is pulled in order: everything is on it, and at strength detect it is unmounted."""
        self.machine.run("sync")
        if not GATED:
            self.machine.run(f"timeout 60 bash -c 'until umount {BY_HAND}; do sleep 0.5; done'")

    def try_(self, command: str) -> Done:
        return self.machine.try_(command)

    def rows(self, command: str) -> list[dict[str, Any]]:
        """What a verb prints with --json."""
        return [json.loads(line) for line in self.machine.run(f"dlp {command} --json", seconds=300).splitlines()]

    def logs(self) -> str:
        """The last lines of both services, for who looks into a failure."""
        return self.machine.try_("journalctl --quiet --no-pager -o cat -u dlp -u dlp-guard | tail -n 25; dmesg | tail -n 8").out
