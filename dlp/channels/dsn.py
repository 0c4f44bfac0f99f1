"""Delivery status notifications: what a sender is told when a message cannot be delivered, is late, or leaves DSN behind. Pure.

RFC 3461 (what the sender asked for), RFC 3464 (message/delivery-status), RFC 6522 (multipart/report),
RFC 6533 (the same for internationalised mail), RFC 3463 (status codes), RFC 3834 (Auto-Submitted). One
notification names only the recipients it is about, and goes to the envelope's sender alone, so a blind
copy stays blind.
"""

import base64
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime

from dlp.blob import Blob
from dlp.channels.smtp_syntax import Address, xtext
from dlp.channels.spool_envelope import Action

HEADERS = 1 << 16
"""Bytes of a returned header section; a longer one is cut at a line."""

_ENHANCED = re.compile(r"[245]\d\d[ -]([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_SUBJECT: dict[Action, str] = {
    "failed": "邮件未能送达 / Mail could not be delivered",
    "delayed": "邮件延迟，仍在尝试 / Mail is delayed, still trying",
    "relayed": "邮件已转交下一站 / Mail has been relayed",
}
_TEXT: dict[Action, str] = {
    "failed": "您的邮件未能送达以下收件人，系统不再尝试：\n\n{recipients}\n\n"
    "请核对地址，或携下列编号联系邮件管理员：{id}\n\n"
    "Your message could not be delivered to the recipients named above, and will not be tried again.\n"
    "Check the addresses, or contact your mail administrator and name {id}.\n",
    "delayed": "您的邮件尚未送达以下收件人，系统将继续尝试，您无需重发：\n\n{recipients}\n\n编号：{id}\n\n"
    "Your message has not been delivered to the recipients named above yet. It will be tried again;\n"
    "there is no need to send it again. Reference: {id}\n",
    "relayed": "您的邮件已转交给不提供送达回执的系统，之后的送达情况无法确认：\n\n{recipients}\n\n编号：{id}\n\n"
    "Your message was handed on, for the recipients named above, to a system that confirms no delivery;\n"
    "you may hear no more of it. Reference: {id}\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientReport:
    """One recipient: the next hop's last reply, when it came, and whether the time ran out."""

    address: Address
    reply: str
    at: datetime | None
    expired: bool = False

    @property
    def status(self) -> str:
        """The enhanced status code (RFC 3463): the next hop's own where it agrees with its reply, else a general one."""
        if self.expired:
            return "4.4.7"
        found = _ENHANCED.match(self.reply)
        kind = self.reply[:1]
        return found[1] if found and found[1].startswith(kind) else f"{kind if kind in '245' and kind else 4}.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One notification. `id` is its own, `about` that of the message, `hostname` ours; times are aware.

    `sender` is the MAIL the message came with, its parameters included. `retry_until`: for a delay.
    """

    id: str
    about: str
    hostname: str
    action: Action
    sender: Address
    arrived: datetime
    now: datetime
    recipients: tuple[RecipientReport, ...]
    boundary: str
    retry_until: datetime | None = None

    @property
    def utf8(self) -> bool:
        """The message was internationalised (RFC 6531), so the notification is too (RFC 6533)."""
        return self.sender.param("SMTPUTF8") is not None

    @property
    def full(self) -> bool:
        """The whole message was asked for (RET=FULL), which counts for failures only (RFC 3461 section 4.3)."""
        return self.action == "failed" and (self.sender.param("RET") or "").upper() == "FULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A report as it is sent: bytes before and after `content`, the message it returns, where it returns one."""

    sender: Address
    recipient: Address
    before: bytes
    content: Blob | None
    after: bytes

    @property
    def size(self) -> int:
        """Bytes of it all."""
        return len(self.before) + (self.content.size if self.content else 0) + len(self.after)

    def pieces(self) -> Iterator[bytes]:
        """All of it, in order."""
        yield self.before
        if self.content:
            yield from self.content.chunks()
        yield self.after


def compose(report: Report, message: Blob) -> Notification:
    """The notification of `report` about `message`. Reads the message; raises OSError as that does."""
    eight_bit = report.utf8 or (report.full and not all(chunk.isascii() for chunk in message.chunks()))
    parts = [_text(report), _status(report), *([] if report.full else [_headers(report, _section(message))])]
    edge = f"--{report.boundary}\r\n".encode("ascii")
    before = _top(report) + b"".join(edge + part + b"\r\n" for part in parts)
    if report.full:
        before += edge + _fields(_returned(report, eight_bit=eight_bit))
    params = [b"SMTPUTF8"] if report.utf8 else []
    return Notification(
        sender=Address(path=b"<>", params=(*params, *([b"BODY=8BITMIME"] if eight_bit else []))),
        recipient=Address(path=f"<{report.sender.mailbox}>".encode("utf-8", "surrogateescape"), params=(b"NOTIFY=NEVER",)),
        before=before,
        content=message if report.full else None,
        after=(b"\r\n" if report.full else b"") + f"--{report.boundary}--\r\n".encode("ascii"),
    )


def _top(report: Report) -> bytes:
    inner = "global-delivery-status" if report.utf8 else "delivery-status"
    return _fields(
        {
            "From": f"Mail Delivery System <MAILER-DAEMON@{report.hostname}>",
            "To": _clean(report.sender.mailbox, utf8=report.utf8),
            "Subject": Header(_SUBJECT[report.action], "utf-8").encode(linesep="\r\n"),
            "Date": format_datetime(report.now),
            "Message-ID": f"<{report.id}@{report.hostname}>",
            "Auto-Submitted": "auto-replied",
            "MIME-Version": "1.0",
            "Content-Type": f'multipart/report; report-type={inner};\r\n\tboundary="{report.boundary}"',
        }
    )


def _text(report: Report) -> bytes:
    lines = [
        f"  {_clean(one.address.mailbox, utf8=True)}\n      {_clean(one.reply, utf8=True) or '-'}" for one in report.recipients
    ]
    text = _TEXT[report.action].format(recipients="\n".join(lines), id=report.about)
    encoded = base64.encodebytes(text.replace("\n", "\r\n").encode("utf-8", "replace")).replace(b"\n", b"\r\n")
    return _fields({"Content-Type": "text/plain; charset=utf-8", "Content-Transfer-Encoding": "base64"}) + encoded


def _status(report: Report) -> bytes:
    kind = "message/global-delivery-status" if report.utf8 else "message/delivery-status"
    about = {"Reporting-MTA": f"dns; {report.hostname}", "Arrival-Date": format_datetime(report.arrived)}
    if envelope := report.sender.param("ENVID"):
        about = {"Original-Envelope-Id": _clean(xtext(envelope), utf8=report.utf8), **about}
    encoding = {"Content-Transfer-Encoding": "8bit"} if report.utf8 else {}
    groups = [{"Content-Type": kind, **encoding}, about, *(_group(report, one) for one in report.recipients)]
    return b"".join(map(_fields, groups)).removesuffix(b"\r\n")  # an empty line at the end would begin one more group


def _group(report: Report, one: RecipientReport) -> dict[str, str]:
    """The fields of one recipient (RFC 3464 section 2.3)."""
    fields = {}
    kind, semicolon, original = (one.address.param("ORCPT") or "").partition(";")
    if semicolon:
        fields["Original-Recipient"] = f"{_clean(kind)}; {_clean(xtext(original), utf8=report.utf8)}"
    mailbox = _clean(one.address.mailbox, utf8=report.utf8)
    fields["Final-Recipient"] = f"{'rfc822' if mailbox.isascii() else 'utf-8'}; {mailbox}"
    fields |= {"Action": report.action, "Status": one.status}
    if one.reply:
        fields["Diagnostic-Code"] = f"smtp; {_clean(one.reply, utf8=report.utf8)}"
    if one.at:
        fields["Last-Attempt-Date"] = format_datetime(one.at)
    if report.retry_until:
        fields["Will-Retry-Until"] = format_datetime(report.retry_until)
    return fields


def _headers(report: Report, section: bytes) -> bytes:
    if report.utf8:
        return _fields({"Content-Type": "message/global-headers", "Content-Transfer-Encoding": "8bit"}) + section
    plain = section.isascii() and b"\0" not in section and all(len(line) < 998 for line in section.split(b"\r\n"))
    encoding = "7bit" if plain else "quoted-printable"
    encoded = section if plain else quopri.encodestring(section.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    return _fields({"Content-Type": "text/rfc822-headers", "Content-Transfer-Encoding": encoding}) + encoded


def _returned(report: Report, *, eight_bit: bool) -> dict[str, str]:
    kind = "message/global" if report.utf8 else "message/rfc822"
    return {"Content-Type": kind, "Content-Transfer-Encoding": "8bit" if eight_bit else "7bit"}


def _section(message: Blob) -> bytes:
    """The header section, each line with its CRLF, without the empty line that ends it."""
    read = b""
    for chunk in message.chunks(HEADERS):
        read += chunk
        if len(read) >= HEADERS or b"\r\n\r\n" in read or read.startswith(b"\r\n"):
            break
    if read.startswith(b"\r\n"):
        return b""
    whole, _, _ = read[:HEADERS].partition(b"\r\n\r\n")
    return whole + b"\r\n" if len(whole) < len(read[:HEADERS]) else b"".join(whole.rpartition(b"\r\n")[:2])


def _fields(fields: dict[str, str]) -> bytes:
    """A block of fields and the empty line that ends it."""
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode("utf-8") + b"\r\n"


def _clean(text: str, *, utf8: bool = False) -> str:
    """One line that can be a field's value whatever it was: what is not printable is "?", and so is non-ASCII unless `utf8`."""
    line = " ".join(text.split())[:900]
    return "".join(c if c.isprintable() and (utf8 or c.isascii()) else "?" for c in line)
