"""What the daemon, its zygote and their children say to each other: msgpack into declared types, length-limited.

A child has parsed hostile content, so its answer is hostile input: `decode_answer` takes nothing that
is not of the declared types, too long, or impossible. A child that was taken over may lie about what
its document holds; it cannot harm the daemon, name a signature that is not loaded, or put unmasked text
where excerpts stand.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import TypeVar

import msgspec

from dlp.errors import DLPError, Fault
from dlp.model import Attachment, Finding, Inspection, Limits, Trail, Unscannable, Why
from dlp.redact import LONGEST, mask

LONGEST_ANSWER = 8 << 20
"""Bytes of one answer."""
LONGEST_DECLARED = 6 << 20
"""Bytes of what a register wants to know of one item."""
MOST_LEARNED = 200
"""Words of one message that may be passwords."""
LONGEST_LEARNED = 64
"""Characters of one."""
PACKET = 64 << 10
"""Bytes of one packet on a socket; an answer is as many as it takes."""
MOST_FINDINGS = 10_000
MOST_UNSCANNABLE = 10_000
MOST_ATTACHMENTS = 1000
"""Of those beyond, nobody knows where they stand."""
_NAME = 255
"""Characters of one name in a trail, as of a file name (NAME_MAX)."""
_STEPS = 64
_DETAIL = 200
_FACTS = 8
_FACT = 64
_LARGEST = 1 << 53
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,63}/[A-Za-z0-9!#$&^_.+-]{1,63}")
_UNKNOWN = "application/octet-stream"

_ENTERING = 1 << 63
"""Set in the first eight bytes of a packet that is no answer; an answer's length never is that long."""

_Shape = TypeVar("_Shape")


class LyingChild(DLPError):
    """An answer that no honest child gives; it is a crash of that child."""


class Setup(msgspec.Struct, frozen=True):
    """The first word to a zygote. `job`, `loader` and `ocr` are "module:attribute.path", `ocr` None where no text in pictures
    is to be read; `parent` is the daemon's process id; `registers` the folder of what is declared and `key` what keys it, None
    where nothing is to be looked for in registers."""

    job: str
    loader: str
    paths: tuple[str, ...]
    limits: Limits
    parent: int
    ocr: str | None = None
    registers: str | None = None
    key: bytes | None = None

    def __repr__(self) -> str:
        return f"Setup({self.job!r}, {self.loader!r}, {self.paths!r}, {self.registers!r})"


class Loaded(msgspec.Struct, frozen=True):
    """Its first word back: what it loaded, or `error`: "signatures" or "configuration" with the
    faults, else a sentence about what is broken."""

    signatures: tuple[str, ...] = ()
    error: str = ""
    faults: tuple[Fault, ...] = ()


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Its second: it is confined, but for these layers."""

    missing: tuple[str, ...]
    weaker: tuple[str, ...]


class Fork(msgspec.Struct, frozen=True):
    """Ask for a child of at most `jobs` jobs; its end of a socket pair comes with it."""

    jobs: int


class Forked(msgspec.Struct, frozen=True, tag=True):
    """The answer; a process descriptor comes with it, unless `error` says why there is none."""

    pid: int
    error: str = ""


class Exited(msgspec.Struct, frozen=True, tag=True):
    """A child ended; `status` is its exit status, or minus the signal that ended it."""

    pid: int
    status: int


ZygoteWord = Ready | Forked | Exited
"""What fits a packet; `Loaded` comes as a file."""


_ZYGOTE_WORDS: msgspec.msgpack.Decoder[ZygoteWord] = msgspec.msgpack.Decoder(ZygoteWord)


class Job(msgspec.Struct, frozen=True):
    """One item for a child; its content comes as a descriptor. `name` is the file's base name as bytes, `seconds` what this
    job may take, `avoid` the numbers of documents whose reader has failed before; unless `risky`, no risky format is used.
    `declaring` names the register that wants to know the item, in place of what is found in it (dlp.inspection.DECLARING)."""

    serial: int
    size: int
    name: bytes | None
    media: str | None
    seconds: float
    salvaging: bool = False
    avoid: tuple[int, ...] = ()
    risky: bool = True
    passwords: tuple[str, ...] = ()
    declaring: str = ""

    def __repr__(self) -> str:
        return f"Job({self.serial}, {self.size} bytes, {len(self.passwords)} passwords)"


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of job `serial`: an inspection and the words that may be passwords, or `why` there is none. `declared` is what
    a register wants to know of the item, where one asked."""

    serial: int
    inspection: Inspection | None = None
    why: Why | None = None
    detail: str = ""
    learned: tuple[str, ...] = ()
    declared: bytes = b""

    def __repr__(self) -> str:
        return f"Answer({self.serial}, {self.inspection}, {self.why}, {self.detail!r}, {len(self.learned)} learned)"


def encode(word: object) -> bytes:
    """Any of the above as msgpack."""
    return msgspec.msgpack.encode(word)


def decode(data: bytes, shape: type[_Shape]) -> _Shape:
    """A word from one of our own, not from a child. Raises msgspec.MsgspecError."""
    return msgspec.msgpack.decode(data, type=shape)


def decode_zygote_word(data: bytes) -> ZygoteWord:
    """A packet from the zygote. Raises msgspec.MsgspecError."""
    return _ZYGOTE_WORDS.decode(data)


def entering(document: int) -> bytes:
    """A packet that says, before an answer, that a risky format is about to read document number `document`."""
    return (_ENTERING | document).to_bytes(8, "big")


def entered(packet: bytes, *, after: int, most: int) -> int | None:
    """The number such a packet tells; None for one that begins an answer.

    Numbers rise from `after` and stay within `most`, so there is an end to them. Raises LyingChild.
    """
    number = int.from_bytes(packet[:8], "big")
    if not number & _ENTERING:
        return None
    number ^= _ENTERING
    if len(packet) != 8 or not after < number <= most:
        raise LyingChild("a document that cannot be the next")
    return number


def encode_answer(answer: Answer) -> bytes:
    """`answer` clipped until it fits; what was clipped away shows as Unscannable(too-many)."""
    inspection = clipped(answer.inspection) if answer.inspection else None
    learned = tuple(_text(word, LONGEST_LEARNED) for word in answer.learned[:MOST_LEARNED])
    answer = msgspec.structs.replace(answer, inspection=inspection, detail=_text(answer.detail, _DETAIL), learned=learned)
    data = encode(answer)
    while inspection and len(data) > LONGEST_ANSWER:
        inspection = clipped(inspection, len(inspection.findings) // 2, len(inspection.unscannable) // 2)
        data = encode(msgspec.structs.replace(answer, inspection=inspection))
    return data


def clipped(inspection: Inspection, findings: int = MOST_FINDINGS, unscannable: int = MOST_UNSCANNABLE) -> Inspection:
    """`inspection` within what `decode_answer` takes, at most this many of each."""
    kept = _spread(inspection.findings, findings)
    places = inspection.unscannable[:unscannable]
    if len(kept) < len(inspection.findings) or len(places) < len(inspection.unscannable):
        lost = Unscannable(why=Why.TOO_MANY, detail="more findings or unreadable places than one answer holds")
        places = (lost, *places[: max(0, unscannable - 1)])
    return replace(
        inspection,
        findings=tuple(map(_clip_finding, kept)),
        unscannable=tuple(replace(one, trail=_trail(one.trail), detail=_text(one.detail, _DETAIL)) for one in places),
        media_type=inspection.media_type if _MEDIA_TYPE.fullmatch(inspection.media_type) else _UNKNOWN,
        attachments=tuple(replace(one, name=_text(one.name, _NAME)) for one in inspection.attachments[:MOST_ATTACHMENTS]),
    )


def _spread(findings: Sequence[Finding], most: int) -> Sequence[Finding]:
    """The first `most`, such that no signature at no level is crowded out by another's many findings."""
    if len(findings) <= most:
        return findings
    ordered = sorted(findings, key=_kind)  # stable
    ranked = [(rank, one) for _, alike in groupby(ordered, _kind) for rank, one in enumerate(alike)]
    return [one for _, one in sorted(ranked, key=lambda pair: pair[0])[:most]]


def _kind(finding: Finding) -> tuple[str, str, str]:
    return finding.signature, finding.level or "", finding.mode


def _clip_finding(one: Finding) -> Finding:
    facts = {_text(key, _FACT): _text(value, _FACT) for key, value in list(one.facts.items())[:_FACTS]}
    return replace(one, trail=_trail(one.trail), excerpt=_text(one.excerpt, LONGEST), facts=facts)


def _trail(trail: Trail) -> Trail:
    return tuple(_text(name, _NAME) for name in trail[:_STEPS])


def _text(text: str, most: int) -> str:
    """Lone surrogates, which UTF-8 cannot carry, become escapes; then the first `most` characters."""
    return text[:most].encode("utf-8", "backslashreplace").decode("utf-8")[:most]


def decode_answer(data: bytes, serial: int, signatures: frozenset[str], *, size: int) -> Answer:
    """The answer to job `serial`, about `size` bytes, excerpts masked again. Raises LyingChild for anything an honest child
    does not send."""
    try:
        answer = msgspec.msgpack.decode(data, type=Answer)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise LyingChild(f"an answer that does not decode: {type(error).__name__}") from None
    if answer.serial != serial:
        raise LyingChild("an answer to another job")
    if (answer.inspection is None) == (answer.why is None) or len(answer.detail) > _DETAIL:
        raise LyingChild("an answer that is neither an inspection nor a reason")
    if len(answer.learned) > MOST_LEARNED or any(len(word) > LONGEST_LEARNED for word in answer.learned):
        raise LyingChild("an answer that has learned too much")
    if len(answer.declared) > LONGEST_DECLARED:
        raise LyingChild("an answer that declares too much")
    if answer.inspection is None:
        return answer
    _check(answer.inspection, signatures, size)
    masked = tuple(replace(one, excerpt=mask(one.excerpt)) for one in answer.inspection.findings)
    return msgspec.structs.replace(answer, inspection=replace(answer.inspection, findings=masked))


def _check(inspection: Inspection, signatures: frozenset[str], size: int) -> None:
    possible = (
        len(inspection.findings) <= MOST_FINDINGS
        and len(inspection.unscannable) <= MOST_UNSCANNABLE
        and math.isfinite(inspection.seconds)
        and inspection.seconds >= 0
        and 0 <= inspection.parts <= _LARGEST
        and 0 <= inspection.text_chars <= _LARGEST
        and 0 <= inspection.pictures <= _LARGEST
        and _MEDIA_TYPE.fullmatch(inspection.media_type)
        and all(map(_possible_place, inspection.unscannable))
        and all(_possible_finding(one, signatures) for one in inspection.findings)
        and _possible_attachments(inspection.attachments, size)
    )
    if not possible:
        raise LyingChild("an answer with impossible values")


def _possible_place(one: Unscannable) -> bool:
    return _possible_trail(one.trail) and len(one.detail) <= _DETAIL


def _possible_finding(one: Finding, signatures: frozenset[str]) -> bool:
    return (
        one.signature in signatures
        and all(word is None or _WORD.fullmatch(word) is not None for word in (one.category, one.level))
        and 0 <= one.confidence <= 100
        and 1 <= one.count <= _LARGEST
        and 0 <= one.offset <= _LARGEST
        and len(one.excerpt) <= LONGEST
        and _possible_trail(one.trail)
        and len(one.facts) <= _FACTS
        and all(len(key) <= _FACT and len(value) <= _FACT for key, value in one.facts.items())
    )


def _possible_attachments(attachments: Sequence[Attachment], size: int) -> bool:
    """They stand in the content, in order and apart; the parent cuts the message there."""
    ends = [0, *(one.end for one in attachments)]
    apart = all(end <= one.start < one.end for end, one in zip(ends, attachments, strict=False))
    return (
        len(attachments) <= MOST_ATTACHMENTS and apart and ends[-1] <= size and all(len(one.name) <= _NAME for one in attachments)
    )


def _possible_trail(trail: Trail) -> bool:
    return len(trail) <= _STEPS and all(len(name) <= _NAME for name in trail)
