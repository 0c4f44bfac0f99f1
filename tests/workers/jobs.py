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

import msgspec
import numpy
from numpy.typing import NDArray

from dlp.errors import Fault, SignatureError
from dlp.extract.budget import Budget, Unreadable
from dlp.model import Finding, Inspection, Limits, Trail, Unscannable, Why
from dlp.workers import wire

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
PATTERN = bytearray()
KEPT: list[memoryview] = []


class Loaded:
    """Stands where the detector would; `note` is the text of the first path."""

    def __init__(self, note: str) -> None:
        self.names = {"known"}
        self.note = note
        self.data = memoryview(b"")
        self.budget = Budget(Limits())


class Reader:
    """Stands where text recognition would."""

    def text(self, pixels: NDArray[numpy.uint8]) -> str:
        return "a text in a picture"


def reader() -> Reader:
    return Reader()


def no_reader() -> Reader:
    raise ValueError("a model that is damaged")


def threaded_reader() -> Reader:
    _thread.start_new_thread(time.sleep, (60,))
    return Reader()


def load(paths: Sequence[Path]) -> Loaded:
    for path in paths:
        if "broken" in path.read_text():
            raise SignatureError([Fault(str(path), "rule", "does not compile")])
    return Loaded(paths[0].read_text() if paths else "")


def job(
    data: memoryview, *, name: str | None, media: str | None, budget: Budget, detector: Loaded, salvaging: bool
) -> Inspection:
    if salvaging:
        return said("text/salvaged") if bytes(data[:9]) != b"die_twice" else die("", detector)
    detector.data, detector.budget = data, budget
    order, _, argument = bytes(data[:4096]).rstrip(b"\0").decode("utf-8", "replace").partition(":")
    return ORDERS.get(order, plain)(argument, detector)


def blind(
    data: memoryview, *, name: str | None, media: str | None, budget: Budget, detector: Loaded, salvaging: bool
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


def nap(argument: str, loaded: Loaded) -> Inspection:
    return sleep("1", loaded)


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


def walk(argument: str, loaded: Loaded) -> Inspection:
    """Documents in turn: a finding for each that is read, an Unscannable for each that is avoided. "ok" is read by a
    harmless format, all others by a risky one: "fine" is read, "die", "spin" … do that."""
    findings, unread = list[Finding](), list[Unscannable]()
    for kind in argument.split(","):
        number = loaded.budget.number()
        place = (f"{number} {kind}",)
        try:
            if kind != "ok":
                loaded.budget.enter(number)
            ORDERS.get(kind, plain)("", loaded)
            findings.append(Finding(signature="known", trail=place))
        except Unreadable as end:
            unread.append(Unscannable(why=end.why, trail=place))
    return said("text/walked", findings=tuple(findings), unscannable=tuple(unread))


def abort(argument: str, loaded: Loaded) -> Inspection:
    os.abort()


def shout_entering(argument: str, loaded: Loaded) -> Inspection:
    """Numbers of documents as given, as a child that was taken over could say them; then an honest answer."""
    for number in argument.split(","):
        say(wire.entering(int(number)))
    return plain(argument, loaded)


def entering_and_more(argument: str, loaded: Loaded) -> Inspection:
    say(wire.entering(1) + b"more")
    return plain(argument, loaded)


def entering_for_ever(argument: str, loaded: Loaded) -> Inspection:
    number = 0
    while True:
        say(wire.entering(number := number + 1))


def say(packet: bytes) -> None:
    """`packet` on the channel, whatever it is."""
    for descriptor in range(3, 32):
        try:
            os.lseek(descriptor, 0, os.SEEK_CUR)
        except OSError as error:
            if error.errno == errno.ESPIPE:
                os.write(descriptor, packet)


def picture(argument: str, loaded: Loaded) -> Inspection:
    """A document with a picture, and what becomes of it where there is a reader: "read", "die", "spin", "less" …"""
    reader = loaded.budget.ocr
    if reader is None:
        return said(f"text/{os.getpid()}", findings=(FOUND,), unscannable=(NOT_READ,), pictures=1)
    if argument in ORDERS:
        return ORDERS[argument]("", loaded)
    if argument == "cut":
        return said("text/ocr", unscannable=(Unscannable(why=Why.TIMEOUT, trail=("late",)),))
    text = reader.text(numpy.zeros((8, 8, 3), numpy.uint8))
    return said("text/ocr", findings=(FOUND, Finding(signature="known", level="secret", trail=("p.png",), count=len(text))))


FOUND = Finding(signature="known", trail=("body",))
NOT_READ = Unscannable(why=Why.UNSUPPORTED, trail=("p.png",))


def learn(argument: str, loaded: Loaded) -> Inspection:
    """Say which passwords came, as the trail of a finding, then learn from the text."""
    given = loaded.budget.passwords.candidates
    loaded.budget.passwords.learn(argument)
    return said(f"text/{len(given)}", findings=(Finding(signature="known", trail=given[:60]),))


def learn_too_much(argument: str, loaded: Loaded) -> Inspection:
    answer = wire.Answer(1, inspection=said("text/lie"), learned=("x",) * int(argument))
    for serial in range(10):
        data = wire.encode(msgspec.structs.replace(answer, serial=serial))
        say(struct.pack(">Q", len(data)) + data)
    return plain(argument, loaded)


ORDERS: dict[str, Callable[[str, Loaded], Inspection]] = {
    name: function
    for name, function in list(globals().items())
    if callable(function)
    and getattr(function, "__module__", "") == __name__
    and name not in {"job", "load", "said", "failed", "call", "say", "reader", "no_reader", "threaded_reader", "Loaded", "Reader"}
}
