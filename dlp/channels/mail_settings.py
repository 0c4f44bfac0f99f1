"""The table [mail]: how the gateway listens, where it delivers, and what it may cost."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dlp.channels import subject_tag
from dlp.channels.relay import NextHop, Tls, parse_endpoint
from dlp.channels.smtp_auth_upstream import AuthTls, parse_upstream
from dlp.channels.spool_settings import SpoolSettings
from dlp.errors import ConfigError, Fault

MOST_PROCESSES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """The table [mail]. Sizes are bytes, times seconds; `__post_init__` raises ConfigError for a value that cannot work.

    `listen`: "host:port", any number. `next_hop`: see NextHop.parse; `next_hop_tls` likewise.
    `newlines`: a bare CR or LF is made a CRLF ("normalise"), or the message is refused and the
    connection closed ("reject"). `mode` "relay": 250 after the next hop's own; "spool": once the message is
    durable here, and then as the table [mail.spool] says.
    `split`: where the policy keeps a message from some of its recipients only, it is held for these and goes on
    to the others; else what one may not have, none gets. `on_failure`: what
    becomes of a message when no inspection can be had at all: 451 ("tempfail"), or it is delivered with
    the field `X-DLP-Action: unscanned` ("pass-with-header"). `max_queue`: messages in work at once.
    `subject_tag`: what stands in front of the Subject of what passes with a level; `{level}` is its name.
    `deadline_seconds`: from the end of data to the start of delivery. `trusted_peers`: networks whose
    XFORWARD, XCLIENT and the user in their Received field are believed, who send without AUTH. `auth_file` or
    `auth_upstream`: who checks the claims of AUTH (smtp_auth_file, smtp_auth_upstream, and there
    `auth_upstream_tls`); `auth_required`: nobody else sends without; `auth_without_tls`: AUTH in clear, to
    others than loopback too. `hostname`: ours, by default the machine's. `processes`: how many of
    their own speak SMTP, which hold neither keys nor records; 0: the daemon itself does. Limits are of each process.
    """

    next_hop: str
    listen: tuple[str, ...] = ("127.0.0.1:10025",)
    mode: Literal["relay", "spool"] = "relay"
    on_failure: Literal["tempfail", "pass-with-header"] = "tempfail"
    newlines: Literal["normalise", "reject"] = "normalise"
    split: bool = False
    subject_tag: str | None = None
    next_hop_tls: Tls = "may"
    hostname: str = ""
    max_size: int = 50 << 20
    max_sessions: int = 1000
    max_bytes_in_flight: int = 512 << 20
    max_queue: int = 1000
    deadline_seconds: float = 80.0
    idle_seconds: float = 300.0
    connect_seconds: float = 10.0
    reply_seconds: float = 60.0
    trusted_peers: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    auth_file: Path | None = None
    auth_upstream: str | None = None
    auth_upstream_tls: AuthTls = "verify"
    auth_required: bool = False
    auth_without_tls: bool = False
    processes: int = 0
    spool: SpoolSettings = field(default_factory=SpoolSettings)

    def __post_init__(self) -> None:
        """Every fault at once."""
        if faults := list(_faults(self)):
            raise ConfigError(faults)

    def hop(self) -> NextHop:
        """The next hop as these settings want it; where `mode` is "spool", the one behind the spool."""
        return NextHop.parse(
            self.next_hop,
            hostname=self.hostname,
            tls=self.next_hop_tls,
            connect_timeout=self.connect_seconds,
            command_timeout=self.reply_seconds,
        )


def _faults(settings: MailSettings) -> Iterator[Fault]:
    try:
        settings.hop()
    except ConfigError as error:
        yield from error.faults
    if not settings.listen:
        yield Fault("[mail]", "mail.listen", "is empty", "name an address, or leave the table [mail] out")
    for address in settings.listen:
        try:
            parse_endpoint(address)
        except ValueError as error:
            yield Fault("[mail]", "mail.listen", str(error), 'write "127.0.0.1:10025" or "[::1]:10025"')
    for network in settings.trusted_peers:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            yield Fault("[mail]", "mail.trusted_peers", str(error), 'write "192.0.2.1" or "192.0.2.0/24"')
    for key in ("max_size", "max_sessions", "max_bytes_in_flight", "max_queue"):
        if getattr(settings, key) < 1:
            yield Fault("[mail]", f"mail.{key}", "must be at least 1")
    if not 0 <= settings.processes <= MOST_PROCESSES:
        yield Fault("[mail]", "mail.processes", f"must be from 0 to {MOST_PROCESSES}")
    for key in ("deadline_seconds", "idle_seconds", "connect_seconds", "reply_seconds"):
        if not getattr(settings, key) > 0:
            yield Fault("[mail]", f"mail.{key}", "must be more than 0")
    if settings.subject_tag is not None and (wrong := subject_tag.fault(settings.subject_tag)) is not None:
        yield Fault("[mail]", "mail.subject_tag", wrong, 'write such as "[{level}]"; {level} is the only placeholder')
    if (settings.tls_cert is None) != (settings.tls_key is None):
        yield Fault("[mail]", "mail.tls_cert", "and tls_key go together", "give both or neither")
    if not settings.hostname.isascii() or any(character.isspace() for character in settings.hostname):
        yield Fault("[mail]", "mail.hostname", "is not a host name", "write it in ASCII (IDNA) without spaces")
    yield from _auth_faults(settings)


def _auth_faults(settings: MailSettings) -> Iterator[Fault]:
    if settings.auth_file is not None and settings.auth_upstream is not None:
        yield Fault("[mail]", "mail.auth_upstream", "and auth_file exclude each other", "give one of them")
    if settings.auth_file is None and settings.auth_upstream is None:
        for key in ("auth_required", "auth_without_tls"):
            if getattr(settings, key):
                yield Fault("[mail]", f"mail.{key}", "has nobody to ask", "set auth_file or auth_upstream too")
    if settings.auth_upstream is None and settings.auth_upstream_tls != "verify":
        yield Fault("[mail]", "mail.auth_upstream_tls", "has no server to speak to", "set auth_upstream too")
    if settings.auth_upstream is not None:
        try:
            parse_upstream(settings.auth_upstream)
        except ValueError as error:
            yield Fault("[mail]", "mail.auth_upstream", str(error), 'write "smtp://host:587" or "smtps://host:465"')
