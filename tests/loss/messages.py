"""The messages of a loss test: each has its own id and is known again by its SHA-256, wherever it turns up."""

import hashlib
import random
import re
from dataclasses import dataclass
from enum import Enum

SENDER, OUTSIDE = "ann@example.com", "partner@example.org"
_WORDS = [
    "meadow",
    "river",
    "lantern",
    "walnut",
    "copper",
    "harbour",
    "violet",
    "pebble",
    "thistle",
    "ladder",
    "candle",
    "orchard",
    "saddle",
    "kettle",
]


class Kind(Enum):
    """What must become of a message."""

    CLEAN = "relayed"
    HELD = "quarantined"
    REFUSED = "refused"


SHARES = (Kind.CLEAN,) * 7 + (Kind.HELD,) * 2 + (Kind.REFUSED,)
"""Of ten messages in a row."""
_MARKS = {Kind.CLEAN: "", Kind.HELD: "秘密★5年", Kind.REFUSED: "绝密★30年"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it is sent, without transparency dots; `sha256` of all of `content`."""

    id: str
    kind: Kind
    content: bytes
    sha256: str


def a_message(number: int, *, seed: int = 1) -> Message:
    """The message of that number; the same again for the same seed. Some of its lines begin with dots."""
    chance, kind = random.Random(f"{seed}:{number}"), SHARES[number % len(SHARES)]
    identity = f"m{number:06d}-{chance.getrandbits(48):012x}"
    lines = [" ".join(chance.choices(_WORDS, k=chance.randint(3, 10))) for _ in range(chance.randint(2, 8))]
    lines.insert(chance.randint(0, len(lines)), ".".join(["", *chance.choices(_WORDS, k=2)]))
    body = "".join(f"{line}\r\n" for line in ([_MARKS[kind]] if _MARKS[kind] else []) + [identity, *lines]).encode()
    head = [
        f"From: {SENDER}",
        f"To: {OUTSIDE}",
        f"Subject: {chance.choice(_WORDS)} {number}",
        f"Message-ID: <{identity}@example.com>",
        f"X-Loss: {identity} {hashlib.sha256(body).hexdigest()}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    ]
    content = "\r\n".join([*head, "", ""]).encode() + body
    return Message(identity, kind, content, hashlib.sha256(content).hexdigest())


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as it was found somewhere: its id, "" where it has none; the SHA-256 of what its sender wrote; whether
    its body is the one its header tells of; the id under which quarantine let it go, or ""."""

    id: str
    sha256: str
    whole: bool
    released: str


def arrived(raw: bytes) -> Arrived:
    """What `raw` is, less the trace field on top and the fields of ours."""
    head, _, body = raw.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head)
    ours = [field for field in fields if field.lower().startswith(b"x-dlp-")]
    written = [field for field in fields[fields[0].startswith(b"Received: ") :] if field not in ours]
    told = next((field.split()[1:] for field in written if field.startswith(b"X-Loss: ")), [b"", b""])
    released = next((field.split()[1].decode() for field in ours if field.startswith(b"X-DLP-Released: ")), "")
    content = b"\r\n".join(written) + b"\r\n\r\n" + body
    return Arrived(
        id=told[0].decode(),
        sha256=hashlib.sha256(content).hexdigest(),
        whole=hashlib.sha256(body).hexdigest().encode() == told[1],
        released=released,
    )
