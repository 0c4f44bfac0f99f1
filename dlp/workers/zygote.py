"""The zygote: loads all that inspection needs, confines itself, then forks children on request.

The daemon starts it by an exec with a clean environment, its control socket (AF_UNIX, SOCK_SEQPACKET) as
descriptor 0. Loading happens before confinement, since nothing can be opened after; hostile content is
met only in children. It ends when the daemon hangs up, and its children end with it (PR_SET_PDEATHSIG).
"""

import codecs
import email
import encodings
import gc
import importlib
import os
import pkgutil
import select
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, NoReturn

from dlp.detect.registers import Registers
from dlp.errors import ConfigError, SignatureError, WorkerError
from dlp.extract.budget import Budget
from dlp.workers import child, seccomp, wire
from dlp.workers.confine import address_space, confine, confine_child, die_with_parent

_PRELOADED = (
    "_strptime",
    "bz2",
    "csv",
    "decimal",
    "gzip",
    "html.entities",
    "html.parser",
    "lzma",
    "numpy",
    "numpy.linalg",
    "numpy.ma",
    "pypdfium2",
    "quopri",
    "stringprep",
    "tarfile",
    "unicodedata",
    "xml.etree.ElementTree",
    "yara",
    "zipfile",
    "zlib",
)
"""What formats need, and parts of the standard library that are only imported on first use."""
_CANARY = b"Subject: canary\r\n\r\nA plain text, inspected once before the first item.\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nursery:
    """What every child inherits: what it inspects with, and the filter of its system calls (None where
    libseccomp is missing and confinement was not required). `base` is the address space in use before any job."""

    craft: child.Craft
    program: bytes | None
    base: int


def main() -> NoReturn:
    """The zygote's whole life; never returns."""
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, os.dup(0))
    setup = wire.decode(control.recv(wire.PACKET), wire.Setup)
    die_with_parent(setup.parent)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A terminal or a service manager tells the whole group; the daemon decides when its workers end.
        signal.signal(number, signal.SIG_IGN)
    nursery = _loaded(control, setup)
    exits = _exits()
    _nothing_on_standard_descriptors()
    layers = confine(keep=(control.fileno(), *exits))
    die_with_parent(setup.parent)  # again: a change of ids has cleared it
    control.send(wire.encode(wire.Ready(layers.missing, layers.weaker)))
    _serve(control, exits, nursery)
    os._exit(0)


def _loaded(control: socket.socket, setup: wire.Setup) -> Nursery:
    """Everything loaded, and the daemon told; where it cannot be, the daemon is told why and this process ends."""
    try:
        _preload()
        craft = _craft(setup)
        _tried(craft)
        _alone()
    except ConfigError as error:
        kind = "signatures" if isinstance(error, SignatureError) else "configuration"
        _tell(control, wire.Loaded(error=kind, faults=error.faults))
        os._exit(2)
    except Exception as error:
        _tell(control, wire.Loaded(error=f"{type(error).__name__}: {error}"[:500]))
        raise
    _tell(control, wire.Loaded(signatures=tuple(craft.detector.names)))
    program = _compiled()
    gc.collect()
    gc.freeze()  # else a child's first collection would write to, and so copy, every page it shares
    return Nursery(craft=craft, program=program, base=address_space())


def _craft(setup: wire.Setup) -> child.Craft:
    load, paths = attribute(setup.loader), [Path(path) for path in setup.paths]
    detector = load(paths, Registers.open(Path(setup.registers), setup.key)) if setup.registers else load(paths)
    ocr = attribute(setup.ocr)() if setup.ocr else None
    return child.Craft(work=attribute(setup.job), detector=detector, limits=setup.limits, ocr=ocr)


def _tried(craft: child.Craft) -> None:
    """What is only made on first use is made now, once for all children."""
    for salvaging in (False, True):
        craft.work(
            memoryview(_CANARY),
            name=None,
            media="message/rfc822",
            budget=Budget(craft.limits),
            detector=craft.detector,
            salvaging=salvaging,
        )


def attribute(path: str) -> Any:
    """What is named by "module:name" "module:name.name"."""
    module, _, names = path.partition(":")
    return attrgetter(names)(importlib.import_module(module))


def _alone() -> None:
    if (threads := len(os.listdir("/proc/self/task"))) != 1:
        raise WorkerError(f"a library started {threads - 1} threads, which a filter of system calls would not cover")


def _preload() -> None:
    for name in _PRELOADED:
        importlib.import_module(name)
    for module in pkgutil.iter_modules(email.__path__):
        importlib.import_module(f"email.{module.name}")
    for module in pkgutil.iter_modules(encodings.__path__):
        with suppress(LookupError, ImportError):  # no codec (`aliases`), or one of another system (`mbcs`)
            codecs.lookup(module.name)


def _compiled() -> bytes | None:
    try:
        return seccomp.child_program()
    except OSError:
        return None  # `confine` names the missing library


def _tell(control: socket.socket, loaded: wire.Loaded) -> None:
    """Thousands of names do not fit a packet, so they go as a file."""
    file = os.memfd_create("dlp-loaded", os.MFD_CLOEXEC)
    with os.fdopen(file, "wb") as out:
        out.write(wire.encode(loaded))
        out.flush()
        socket.send_fds(control, [b"\0"], [file])


def _exits() -> tuple[int, int]:
    """A pipe that becomes readable when a child ends."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(ends[1], warn_on_full_buffer=False)
    return ends


def _nothing_on_standard_descriptors() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    os.close(null)


def _serve(control: socket.socket, exits: tuple[int, int], nursery: Nursery) -> None:
    """Fork on request and report exits until the daemon hangs up."""
    poller = select.poll()
    poller.register(control, select.POLLIN)
    poller.register(exits[0], select.POLLIN)
    while True:
        for descriptor, _ in poller.poll():
            if descriptor == exits[0]:
                os.read(descriptor, 4096)
                _reap(control)
                continue
            packet, descriptors, _, _ = socket.recv_fds(control, wire.PACKET, 1)
            if not packet:
                return
            _fork(control, exits, nursery, wire.decode(packet, wire.Fork), descriptors[0])


def _reap(control: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        control.send(wire.encode(wire.Exited(pid, os.waitstatus_to_exitcode(status))))


def _fork(control: socket.socket, exits: tuple[int, int], nursery: Nursery, request: wire.Fork, descriptor: int) -> None:
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError as error:
        os.close(descriptor)
        control.send(wire.encode(wire.Forked(0, f"fork: {error.strerror}")))
        return
    if pid == 0:
        try:
            _be_child(control, exits, nursery, request, descriptor, parent)
        finally:
            os._exit(1)
    os.close(descriptor)
    process = os.pidfd_open(pid)
    socket.send_fds(control, [wire.encode(wire.Forked(pid))], [process])
    os.close(process)


def _be_child(
    control: socket.socket, exits: tuple[int, int], nursery: Nursery, request: wire.Fork, descriptor: int, parent: int
) -> NoReturn:
    signal.set_wakeup_fd(-1)
    for end in (*exits, control.detach()):
        os.close(end)
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, descriptor)
    limits = nursery.craft.limits
    confine_child(
        parent=parent,
        program=nursery.program,
        address_space=nursery.base + limits.memory + limits.bytes,
        cpu_seconds=int(limits.seconds + 5) * request.jobs,
    )
    child.serve(channel, nursery.craft, jobs=request.jobs)
    os._exit(0)
