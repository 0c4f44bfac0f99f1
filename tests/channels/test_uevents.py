"""The kernel's own news of devices: the parser, and the real socket."""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.channels import uevents
from dlp.channels.uevents import Uevent, UeventWatch, parse

NULL = "/devices/virtual/mem/null"
words = st.text(st.characters(codec="utf-8", exclude_characters="\0="), min_size=1, max_size=20)
values = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


def test_a_message_of_the_kernel() -> None:
    message = (
        b"add@/devices/pci0/usb1/1-1\0ACTION=add\0DEVPATH=/devices/pci0/usb1/1-1\0SUBSYSTEM=usb\0DEVTYPE=usb_device\0X=a=b\0"
    )
    event = parse(message)
    assert event is not None
    assert (event.action, event.path, event.subsystem) == ("add", "/devices/pci0/usb1/1-1", "usb")
    assert event.facts["DEVTYPE"] == "usb_device"
    assert event.facts["X"] == "a=b"


@pytest.mark.parametrize("message", [b"", b"\0", b"libudev\0\xfe\xed\xca\xfe", b"add@", b"@/devices", b"add@dev/x", b"a b@/x"])
def test_what_is_no_message_of_the_kernel(message: bytes) -> None:
    assert parse(message) is None


@given(action=st.sampled_from(["add", "remove", "change", "bind", "unbind"]), path=words, facts=st.dictionaries(words, values))
def test_every_message_is_read_as_it_was_written(action: str, path: str, facts: dict[str, str]) -> None:
    fields = [f"{action}@/{path}", *(f"{name}={value}" for name, value in facts.items())]
    assert parse("".join(f"{field}\0" for field in fields).encode()) == Uevent(action, f"/{path}", facts)


@given(st.binary(max_size=300))
def test_no_message_is_too_strange(message: bytes) -> None:
    event = parse(message)
    assert event is None or event.path.startswith("/")


class Heard:
    def __init__(self) -> None:
        self.events: asyncio.Queue[Uevent] = asyncio.Queue()
        self.overflowed = asyncio.Event()


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Heard]:
    heard = Heard()
    watch = UeventWatch(heard.events.put_nowait, heard.overflowed.set)
    try:
        yield heard
    finally:
        watch.close()


@pytest.mark.root
async def test_the_kernel_is_heard() -> None:
    async with listening() as heard, asyncio.timeout(20):
        # The kernel says it again when asked (Documentation/ABI/testing/sysfs-uevent).
        await asyncio.to_thread(Path(f"/sys{NULL}/uevent").write_text, "change")
        while (event := await heard.events.get()).path != NULL:
            pass
    assert event.action == "change"
    assert (event.subsystem, event.facts["DEVNAME"], event.facts["MAJOR"]) == ("mem", "null", "1")


@pytest.mark.root
async def test_who_is_not_the_kernel_is_not_heard() -> None:
    forged = f"add@/devices/forged\0ACTION=add\0PID={os.getpid()}\0".encode()
    async with listening() as heard, asyncio.timeout(20):
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, uevents._PROTOCOL) as sender:
            sender.sendto(forged, (0, uevents.KERNEL))
        await asyncio.to_thread(Path(f"/sys{NULL}/uevent").write_text, "change")
        while (event := await heard.events.get()).path != NULL:
            assert event.path != "/devices/forged"


@pytest.mark.root
async def test_an_overflow_is_told_and_the_next_event_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = uevents._opened

    def narrow() -> Any:
        made = opened()
        made.setsockopt(socket.SOL_SOCKET, uevents._BUFFER_FORCE, 1)  # the kernel's least: a few messages
        return made

    monkeypatch.setattr(uevents, "_opened", narrow)
    async with listening() as heard, asyncio.timeout(20):
        for _ in range(200):  # not awaited: nobody reads meanwhile
            Path(f"/sys{NULL}/uevent").write_text("change")
        await heard.overflowed.wait()
        while not heard.events.empty():
            heard.events.get_nowait()
        await asyncio.to_thread(Path(f"/sys{NULL}/uevent").write_text, "change")
        assert (await heard.events.get()).path == NULL


async def test_a_socket_that_cannot_be_had_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))

    monkeypatch.setattr(socket, "socket", refused)
    with pytest.raises(OSError, match="Protocol not supported"):
        UeventWatch(lambda _: None, lambda: None)
