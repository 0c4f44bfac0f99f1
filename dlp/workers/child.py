"""A confined child: takes one job after another from its channel, and answers.

Everything here runs after `confine_child`; what it needs must have been imported by the zygote. Before a risky
format reads a document the child says so: what was said before hostile bytes were met cannot be taken back.
"""

import gc
import mmap
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dlp.extract.budget import Budget, Ocr
from dlp.inspection import DECLARING
from dlp.model import Inspection, Limits, Why
from dlp.workers import wire

Work = Callable[..., Inspection]
"""`dlp.inspection.inspect`, or a test's own with the same parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Craft:
    """What every child of a zygote inspects with, made once before the first fork; `limits` hold for each item."""

    work: Work
    detector: Any
    limits: Limits
    ocr: Ocr | None = None


def serve(channel: socket.socket, craft: Craft, *, jobs: int) -> None:
    """Serve at most `jobs` jobs; returns when they are done, when the daemon hangs up, or when a job has left traces."""
    for _ in range(jobs):
        packet, descriptors, _, _ = socket.recv_fds(channel, wire.PACKET, 1)
        if not packet:
            return
        answer, spent = _answer(channel, wire.decode(packet, wire.Job), descriptors[0], craft)
        send(channel, wire.encode_answer(answer))
        if spent:
            return


def send(channel: socket.socket, data: bytes) -> None:
    """`data` in packets, its length in eight bytes before it."""
    framed = memoryview(len(data).to_bytes(8, "big") + data)
    for start in range(0, len(framed), wire.PACKET):
        channel.send(framed[start : start + wire.PACKET])


def _answer(channel: socket.socket, job: wire.Job, descriptor: int, craft: Craft) -> tuple[wire.Answer, bool]:
    """The answer, and whether this child has to end after it: an exception leaves a state nobody can vouch for."""
    content, mapping = _content(descriptor, job.size)
    name = None if job.name is None else job.name.decode("utf-8", "surrogateescape")
    budget = _budget(channel, job, craft)
    try:
        found, declared = _worked(craft, job, content, name, budget)
    except MemoryError:
        return wire.Answer(job.serial, why=Why.TOO_LARGE, detail="the memory limit was reached"), True
    except RecursionError:
        return wire.Answer(job.serial, why=Why.TOO_DEEP, detail="the recursion limit was reached"), True
    except ImportError as error:  # the name is one of our code's, and all there is to find what `zygote._PRELOADED` lacks
        return wire.Answer(job.serial, why=Why.CRASHED, detail=f"module {error.name} was not loaded before confinement"), True
    except Exception as error:  # noqa: BLE001 - a bug in a parser: Unscannable(crashed), and only its kind: the text may quote content
        return wire.Answer(job.serial, why=Why.CRASHED, detail=f"{type(error).__name__} in inspection"), True
    answer = wire.Answer(job.serial, inspection=found, learned=budget.passwords.learned, declared=declared)
    return answer, not _forget(content, mapping)


def _worked(craft: Craft, job: wire.Job, content: memoryview, name: str | None, budget: Budget) -> tuple[Inspection, bytes]:
    """What is found in the item, or what a register wants to know of it."""
    given: dict[str, Any] = {"name": name, "media": job.media, "budget": budget, "salvaging": job.salvaging}
    if job.declaring:
        return DECLARING[job.declaring](content, registers=craft.detector.registers, **given)
    return craft.work(content, detector=craft.detector, **given), b""


class _Every:
    """Holds every document."""

    def __contains__(self, document: object) -> bool:
        return True


def _budget(channel: socket.socket, job: wire.Job, craft: Craft) -> Budget:
    def entering(document: int) -> None:
        channel.send(wire.entering(document))

    return Budget(
        replace(craft.limits, seconds=job.seconds),
        passwords=job.passwords,
        ocr=craft.ocr,
        entering=entering,
        avoid=frozenset(job.avoid) if job.risky else _Every(),
    )


def _content(descriptor: int, size: int) -> tuple[memoryview, mmap.mmap | None]:
    """The content, mapped read-only: no copy, and its pages are not this process's own memory."""
    mapping = mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ) if size else None
    os.close(descriptor)
    return memoryview(mapping or b""), mapping


def _forget(content: memoryview, mapping: mmap.mmap | None) -> bool:
    """Unmap; False where something still holds a piece of the content, which the next job must not meet."""
    for attempt in range(2):
        try:
            content.release()
            if mapping is not None:
                mapping.close()
        except BufferError:
            if attempt == 0:
                gc.collect()
        else:
            return True
    return False
