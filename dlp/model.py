"""The nouns of `dlp`, as frozen values. Words are those of docs/design.md; no third-party import.

An Item (one thing trying to leave) is inspected into an Inspection (Findings and Unscannables),
and a Policy decides its Verdict. Parts and Raws exist only inside the confined child.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum, StrEnum

from dlp.blob import Blob

Trail = tuple[str, ...]
"""Names from the outermost container to the place: ("message", "a.zip", "q3.xlsx", "Sheet1"); () is the item itself."""


class Channel(StrEnum):
    """A way out."""

    MAIL = "mail"
    SHARE = "share"
    USB = "usb"
    CLAMD = "clamd"
    SCAN = "scan"


class Zone(StrEnum):
    """Where in a document a text stands; a marking in a header weighs more than one in a body."""

    BODY = "body"
    HEADER = "header"
    FOOTER = "footer"
    WATERMARK = "watermark"
    TEXTBOX = "textbox"
    TITLE = "title"
    SUBJECT = "subject"
    FILENAME = "filename"
    NOTE = "note"
    COMMENT = "comment"
    HIDDEN = "hidden"
    PROPERTY = "property"
    RAW = "raw"


class Why(StrEnum):
    """Why a place could not be read."""

    ENCRYPTED = "encrypted"
    CORRUPT = "corrupt"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too-large"
    TOO_DEEP = "too-deep"
    TOO_MANY = "too-many"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    UNREADABLE = "unreadable"
    """The content could not even be had: no permission, an I/O error, not a regular file."""


class Action(IntEnum):
    """What happens to an item, ordered by severity; the most severe of all matching rules wins."""

    ALLOW = 0
    ALERT = 1
    QUARANTINE = 2
    BLOCK = 3

    def __str__(self) -> str:
        return self.name.lower()

    @classmethod
    def named(cls, name: str) -> "Action":
        """`Action.named("block")`; raises KeyError for a name that is none."""
        return cls[name.upper()]


class Mode(StrEnum):
    """Whether a signature acts or only counts."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


class Transport(StrEnum):
    """How a message would go on to the next hop."""

    LOCAL = "local"
    """It stays on this machine: a UNIX socket, the loopback, a maildir."""
    VERIFIED = "verified"
    """TLS, the certificate checked."""
    UNVERIFIED = "unverified"
    """TLS, nobody knows with whom."""
    CLEAR = "clear"
    UNKNOWN = "unknown"
    """Nobody has said; a policy takes it for clear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Origin of a message: who is sending what to whom, as the SMTP session knows it (RFC 5321).

    Addresses are without angle brackets, byte-exact as received (surrogateescape for bytes that are
    not UTF-8); the null sender is "". `peer` is "host:port" of the client, `user` the authenticated
    name, `subject` the decoded Subject field: the caller masks it before it is stored. `transport` is that of
    the delivery which is open while the message is judged.
    """

    peer: str
    sender: str
    recipients: tuple[str, ...]
    user: str | None = None
    subject: str | None = None
    queue_id: str | None = None
    transport: Transport = Transport.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOrigin:
    """Origin of a file: where it stood and whose it is.

    `path` is absolute (surrogateescape for bytes that are not UTF-8), `volume` the watched folder or
    mount point, `owner` a user name or "uid:N", `device` the drive's serial or the st_dev as "major:minor".
    """

    path: str
    volume: str
    owner: str
    device: str
    inode: int


Origin = Envelope | FileOrigin


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseClaim:
    """A message's own word that it was released from quarantine: the custody id and the seal in its field
    `X-DLP-Released`, and the SHA-256 in hex of its body, which the seal must fit. Believed only once
    `ports.Quarantine.released` has checked it."""

    held: str
    seal: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing trying to leave. `id` is unique and sorts by time; `arrived` is aware, in UTC."""

    id: str
    channel: Channel
    origin: Origin
    blob: Blob
    arrived: datetime
    claim: ReleaseClaim | None = None

    @property
    def recipients(self) -> tuple[str, ...]:
        """Those of a message; a file has none."""
        return self.origin.recipients if isinstance(self.origin, Envelope) else ()

    def addressed(self, places: Collection[int]) -> "Item":
        """The message as if it were to the recipients at these places only."""
        assert isinstance(self.origin, Envelope)  # noqa: S101 - only a message has recipients
        chosen = tuple(one for place, one in enumerate(self.origin.recipients) if place in places)
        return replace(self, origin=replace(self.origin, recipients=chosen))

    @property
    def name(self) -> str | None:
        """The base name of a file; a message has none."""
        return self.origin.path.rsplit("/", 1)[-1] if isinstance(self.origin, FileOrigin) else None

    @property
    def media(self) -> str | None:
        """The media type the channel vouches for, or None where the content must tell."""
        return "message/rfc822" if self.channel is Channel.MAIL else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One scannable text inside an item.

    `page` counts from 1 in formats that have pages, slides or sheets; None elsewhere. `start` says
    that the text begins its document (its offset 0 is the top of the first page), which is where a
    marking is expected.
    """

    text: str
    trail: Trail = ()
    zone: Zone = Zone.BODY
    page: int | None = None
    start: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """The bytes of one file inside an item, as a signature over raw bytes sees them."""

    data: bytes | memoryview
    trail: Trail = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unscannable:
    """A place that could not be read, and why. `detail` is for a person and holds no content."""

    why: Why
    trail: Trail = ()
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A signature confirmed at a place.

    `level` is what the signature or the marking itself states, on the canonical scale (see
    dlp.policy.profiles); after `Profile.grade` it is the id on the active profile's scale. `offset`
    counts characters into the part's text (bytes for zone raw) at the first of `count` distinct
    matches. `excerpt` has passed `dlp.redact.mask`. `facts` are short extra facts, safe to store,
    such as {"term": "10年"}.
    """

    signature: str
    category: str | None = None
    level: str | None = None
    confidence: int = 100
    count: int = 1
    trail: Trail = ()
    zone: Zone = Zone.BODY
    offset: int = 0
    excerpt: str = ""
    mode: Mode = Mode.ENFORCE
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Where an attachment stands in a message: its entity, header and body (RFC 2045, 2.4), from byte `start` to before byte
    `end`. `name` is the first step of the trail of whatever is found in it; several may have the same."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """All findings, all unscannables, time spent (seconds), and what the content is. `pictures` counts the pictures that were
    met and not read, since that takes text recognition. `attachments` are those of a message that can be taken out of it,
    in order and apart from each other."""

    findings: tuple[Finding, ...] = ()
    unscannable: tuple[Unscannable, ...] = ()
    seconds: float = 0.0
    media_type: str = "application/octet-stream"
    parts: int = 0
    text_chars: int = 0
    pictures: int = 0
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The policy's answer.

    `level` is the highest id on the profile's scale among the enforced findings, or None. `rules`
    are the names of the rules that matched, most severe first; `reasons` one sentence for each.
    `approve_by` are the roles that may release; `notify` who is told. `replace` wants the message delivered with the
    offending attachments replaced, if that can be done; in a closed incident it says that it was done.
    """

    action: Action = Action.ALLOW
    level: str | None = None
    rules: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    approve_by: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one item may cost: bytes read, bytes after expansion, of one member and by packed byte (which DEFLATE itself
    limits to 1,032, RFC 1951), bytes of memory, nested containers, archive members and MIME parts together, seconds of
    wall clock. Reaching one is an Unscannable."""

    bytes: int = 256 << 20
    expanded_bytes: int = 512 << 20
    part_bytes: int = 64 << 20
    ratio: int = 200
    memory: int = 1 << 30
    depth: int = 16
    members: int = 10_000
    seconds: float = 30.0
