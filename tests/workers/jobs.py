"""What the zygotes of these tests do instead of inspecting: the content is an order, such as b"spin" or b"open:/etc/passwd".

Runs inside real confined children. An order that succeeds where it must not says so in `media_type`.
"""

import _thread
import ctypes
import errno
import importlib
import mmap
import os
import resource
import socket
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy

from dlp.errors import Fault, SignatureError
from dlp.model import Finding, Inspection, Limits, Trail, Unscannable, Why
from dlp.workers import wire

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
PATTERN = bytearray()
KEPT: list[memoryview] = []


class Loaded:
    """Stands where the detector would; `note` is the text of the first path."""

    def __init__(self, note: str) -> None:
        self.signatures = {"known": None}
        self.note = note
        self.data = memoryview(b"")


def load(paths: Sequence[Path]) -> Loaded:
    for path in paths:
        if "broken" in path.read_text():
            raise SignatureError([Fault(str(path), "rule", "does not compile")])
    return Loaded(paths[0].read_text() if paths else "")


def job(
    data: memoryview, *, name: str | None, media: str | None, limits: Limits, detector: Loaded, salvaging: bool
) -> Inspection:
    if salvaging:
        return said("text/salvaged") if bytes(data[:9]) != b"die_twice" else die("", detector)
    detector.data = data
    order, _, argument = bytes(data[:4096]).rstrip(b"\0").decode("utf-8", "replace").partition(":")
    return ORDERS.get(order, plain)(argument, detector)


def blind(
    data: memoryview, *, name: str | None, media: str | None, limits: Limits, detector: Loaded, salvaging: bool
) -> Inspection:
    """Reads nothing of anything."""
    return Inspection()


def said(word: str, **more: Any) -> Inspection:
    return Inspection(media_type=word, parts=1, text_chars=1, **more)


def plain(argument: str, loaded: Loaded) -> Inspection:
    return said(f"text/{os.getpid()}")


def note(argument: str, loaded: Loaded) -> Inspection:
    return said(f"text/{loaded.note}")


def failed(what: Callable[[], object]) -> Inspection:
    """text/refused with the error's name, or text/escaped."""
    try:
        what()
    except OSError as error:
        return said(f"text/refused-{errno.errorcode.get(error.errno or 0, 'none')}")
    return said("text/escaped")


def call(number: int, *arguments: object) -> None:
    if LIBC.syscall(ctypes.c_long(number), *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")


def open_read(argument: str, loaded: Loaded) -> Inspection:
    return failed(lambda: os.open(argument, os.O_RDONLY))


def open_write(argument: str, loaded: Loaded) -> Inspection:
    return failed(lambda: os.open(argument, os.O_WRONLY | os.O_CREAT))


def tcp(argument: str, loaded: Loaded) -> Inspection:
    return failed(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))


def udp(argument: str, loaded: Loaded) -> Inspection:
    return failed(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))


def unix(argument: str, loaded: Loaded) -> Inspection:
    return failed(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))


def netlink(argument: str, loaded: Loaded) -> Inspection:
    return failed(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))


def pair(argument: str, loaded: Loaded) -> Inspection:
    return failed(socket.socketpair)


def fork(argument: str, loaded: Loaded) -> Inspection:
    def born() -> None:
        if os.fork() == 0:
            os._exit(0)

    return failed(born)


def raw_call(argument: str, loaded: Loaded) -> Inspection:
    numbers = [int(part) for part in argument.split(",")]
    return failed(lambda: call(numbers[0], *[ctypes.c_long(one) for one in numbers[1:]]))


def execute(argument: str, loaded: Loaded) -> Inspection:
    return failed(lambda: os.execv("/bin/true", ["true"]))


def thread(argument: str, loaded: Loaded) -> Inspection:
    def start() -> None:
        try:
            _thread.start_new_thread(time.sleep, (1,))
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, "") from error

    return failed(start)


def kill(argument: str, loaded: Loaded) -> Inspection:
    return failed(lambda: os.kill(int(argument), 9))


def inherited(argument: str, loaded: Loaded) -> Inspection:
    """Write to what may have been left open. A child holds its channel, which cannot be sought in, and the content."""
    held = []
    for descriptor in range(3, 32):
        try:
            os.lseek(descriptor, 0, os.SEEK_CUR)
            held.append("file")
            os.write(descriptor, b"x")
            held.append("written")
        except OSError as error:
            if error.errno == errno.ESPIPE:
                held.append("channel")
    return said("text/refused-all" if sorted(held) == ["channel", "file"] else "text/escaped")


def write_content(argument: str, loaded: Loaded) -> Inspection:
    """Make the mapping of the content writable."""
    address = numpy.frombuffer(loaded.data, numpy.uint8).ctypes.data

    def protect() -> None:
        if LIBC.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(4096), 3) < 0:
            raise OSError(ctypes.get_errno(), "")

    return failed(protect)


def executable(argument: str, loaded: Loaded) -> Inspection:
    return failed(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC))


def make_executable(argument: str, loaded: Loaded) -> Inspection:
    def protect() -> None:
        page = LIBC.mmap(None, ctypes.c_size_t(4096), 3, 0x22, -1, 0)
        if LIBC.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(4096), 5) < 0:
            raise OSError(ctypes.get_errno(), "")

    return failed(protect)


def list_proc(argument: str, loaded: Loaded) -> Inspection:
    return failed(lambda: os.listdir("/proc"))


def hog(argument: str, loaded: Loaded) -> Inspection:
    held = [bytearray(b"x") * (64 << 20) for _ in range(64)]
    return said(f"text/escaped-{len(held)}")


def grow(argument: str, loaded: Loaded) -> Inspection:
    """Bigger steps than a limit that the child itself has raised would allow."""
    return failed(lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40)))


def spin(argument: str, loaded: Loaded) -> Inspection:
    while True:
        pass


def sleep(argument: str, loaded: Loaded) -> Inspection:
    time.sleep(float(argument))
    return plain(argument, loaded)


def die(argument: str, loaded: Loaded) -> Inspection:
    ctypes.string_at(0)
    return said("text/escaped")


def die_twice(argument: str, loaded: Loaded) -> Inspection:
    """Dies here, and again when salvaged."""
    return die(argument, loaded)


def late_import(argument: str, loaded: Loaded) -> Inspection:
    importlib.import_module("this_module_is_nowhere")
    return said("text/escaped")


def leave(argument: str, loaded: Loaded) -> Inspection:
    os._exit(3)


def bug(argument: str, loaded: Loaded) -> Inspection:
    raise ValueError("with the secret content")


def deep(argument: str, loaded: Loaded) -> Inspection:
    return deep(argument, loaded)


def die_if_used(argument: str, loaded: Loaded) -> Inspection:
    """Dies in a child that has served before: what earlier documents can do to a later one."""
    PATTERN.append(1)
    return said("text/first") if len(PATTERN) == 1 else die(argument, loaded)


def keep_content(argument: str, loaded: Loaded) -> Inspection:
    """Hold on to the content beyond the job, as a leaking parser would."""
    KEPT.append(loaded.data[:4])
    return plain(argument, loaded)


def shout(data: bytes) -> Inspection:
    """`data` raw on the channel, as a child that was taken over could; then nothing more."""
    for descriptor in range(3, 32):
        try:
            os.write(descriptor, data[: 64 << 10])
            for start in range(64 << 10, len(data), 64 << 10):
                os.write(descriptor, data[start : start + (64 << 10)])
        except OSError:
            continue
    os._exit(0)


def giant(argument: str, loaded: Loaded) -> Inspection:
    return shout(struct.pack(">Q", 1 << 40) + bytes(1000))


def overlong(argument: str, loaded: Loaded) -> Inspection:
    return shout(struct.pack(">Q", 10) + bytes(60_000))


def endless(argument: str, loaded: Loaded) -> Inspection:
    return shout(struct.pack(">Q", 8 << 20) + bytes(9 << 20))


def garbage(argument: str, loaded: Loaded) -> Inspection:
    return shout(struct.pack(">Q", 6) + b"\xc1\xff\x00\xfe\x80\x81")


def silent(argument: str, loaded: Loaded) -> Inspection:
    """Hangs up without an answer."""
    os._exit(0)


def other_serial(argument: str, loaded: Loaded) -> Inspection:
    answer = wire.encode(wire.Answer(1 << 40, inspection=said("text/lie")))
    return shout(struct.pack(">Q", len(answer)) + answer)


def babble(argument: str, loaded: Loaded) -> Inspection:
    """Says, beside the honest answer that follows, what nobody asked for; nothing of it may become an answer."""
    answer = wire.encode(wire.Answer(1 << 40, inspection=said("text/lie")))
    for descriptor in range(3, 32):
        try:
            os.write(descriptor, struct.pack(">Q", len(answer)) + answer)
        except OSError:
            continue
    return plain(argument, loaded)


def wrong_types(argument: str, loaded: Loaded) -> Inspection:
    return said("text/plain", findings=(Finding(signature="known", count="many"),))  # type: ignore[arg-type]


def unknown_signature(argument: str, loaded: Loaded) -> Inspection:
    return said("text/plain", findings=(Finding(signature="invented by the document"),))


def unmasked(argument: str, loaded: Loaded) -> Inspection:
    return said("text/plain", findings=(Finding(signature="known", excerpt=argument),))


def many(argument: str, loaded: Loaded) -> Inspection:
    trail: Trail = tuple("x" * 300 for _ in range(20))
    rare = Finding(signature="known", level="secret")
    return said("text/plain", findings=(*[Finding(signature="known", trail=trail)] * int(argument), rare))


def unreadable(argument: str, loaded: Loaded) -> Inspection:
    return said("text/plain", unscannable=(Unscannable(why=Why.ENCRYPTED, trail=("caf\udce9",)),))


ORDERS: dict[str, Callable[[str, Loaded], Inspection]] = {
    name: function
    for name, function in list(globals().items())
    if callable(function)
    and getattr(function, "__module__", "") == __name__
    and name not in {"job", "load", "said", "failed", "call"}
}
