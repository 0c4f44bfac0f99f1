"""What SMTP's commands look like: paths, parameters, xtext, trace and subject fields. Pure.

Paths and parameters are kept as the bytes the client sent, so that the next hop reads exactly what
we read (RFC 5321 section 4.1.2; RFC 6531 section 3.3 for octets above 127; RFC 3461 for DSN).
"""

import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import format_datetime
from functools import lru_cache

_ATOM = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff.-]+"
_QUOTED = rb'"(?:[\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\x20-\x7e])*"'
_DOMAIN = rb"(?:[A-Za-z0-9\x80-\xff_](?:[A-Za-z0-9\x80-\xff_.-]*)|\[[\x21-\x5a\x5e-\x7e]+\])"
_ROUTE = rb"@" + _DOMAIN + rb"(?:,@" + _DOMAIN + rb")*:"
_MAILBOX = rb"(?:" + _ATOM + rb"|" + _QUOTED + rb")(?:@" + _DOMAIN + rb")?"
_PARAMETERS = rb"(?P<params>(?:[ \t]+[A-Za-z0-9][A-Za-z0-9-]*(?:=[\x21-\x7e\x80-\xff]+)?)*)[ \t]*"
# A path without its brackets is against the RFC, but Postfix takes it, and so do the printers that send it.
_PATH = re.compile(
    rb"[ \t]*(?:<(?P<route>" + _ROUTE + rb")?(?P<box>" + _MAILBOX + rb")?>|(?P<bare>" + _MAILBOX + rb"))" + _PARAMETERS
)
_XTEXT = re.compile(rb"\+([0-9A-F]{2})")
_SUBJECT, _TRACE = (
    re.compile(rb"^" + name + rb"[ \t]*:((?:[^\r\n]*\r\n(?=[ \t]))*[^\r\n]*)", re.IGNORECASE | re.MULTILINE)
    for name in (b"subject", b"received")
)
_AUTHENTICATED = re.compile(rb"[ \t]+\(Authenticated sender: (.+)\)")
_UNPRINTABLE = re.compile(r"[^!-'*-\[\]-~]")
_LONGEST_SUBJECT = 4096
"""Bytes of a Subject field that are looked at; a longer one is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A reverse-path or forward-path as it stood in MAIL or RCPT, brackets included, and its parameters verbatim."""

    path: bytes
    params: tuple[bytes, ...] = ()

    @property
    def mailbox(self) -> str:
        """The address without brackets and source route; "" is the null sender."""
        inside = self.path[1:-1]
        if inside.startswith(b"@"):
            inside = inside.partition(b":")[2]
        return inside.decode("utf-8", "surrogateescape")

    def param(self, keyword: str) -> str | None:
        """The value of an ESMTP parameter, "" where it has none, None where it is absent; keywords ignore case."""
        for param in self.params:
            name, _, value = param.decode("utf-8", "surrogateescape").partition("=")
            if name.upper() == keyword:
                return value
        return None

    def as_json(self) -> dict[str, object]:
        """For `attributes`: Latin-1 maps every byte to one character and back, so nothing is lost and UTF-8 can hold it."""
        return {"path": self.path.decode("latin-1"), "params": [one.decode("latin-1") for one in self.params]}

    @classmethod
    def from_json(cls, value: dict[str, object]) -> "Address":
        """The inverse of `as_json`. Raises KeyError or TypeError for a value that is not one."""
        path, params = value["path"], value["params"]
        if not isinstance(path, str) or not isinstance(params, list):
            raise TypeError("an address is a path and a list of parameters")
        return cls(path=path.encode("latin-1"), params=tuple(str(one).encode("latin-1") for one in params))


def parse_path(argument: str, keyword: str) -> Address | None:
    """The argument of MAIL (`keyword` "FROM:") or RCPT ("TO:"), or None if it is not well formed."""
    if argument[: len(keyword)].upper() != keyword:
        return None
    found = _PATH.fullmatch(argument[len(keyword) :].encode("utf-8", "surrogateescape"))
    if found is None or (found["route"] is not None and found["box"] is None):
        return None
    path = found["bare"] if found["bare"] is not None else (found["route"] or b"") + (found["box"] or b"")
    return Address(path=b"<" + path + b">", params=tuple(found["params"].split()))


def parse_attributes(argument: str, names: Iterable[str]) -> dict[str, str | None] | None:
    """The attributes of XFORWARD or XCLIENT, xtext decoded (RFC 3461 section 4); None if one is unknown or malformed.

    "[UNAVAILABLE]" and "[TEMPUNAVAIL]" are None (Postfix XFORWARD_README and XCLIENT_README).
    """
    known = set(names)
    attributes: dict[str, str | None] = {}
    for pair in argument.split():
        name, equals, text = pair.partition("=")
        value = xtext(text)
        if not equals or name.upper() not in known or not value.isprintable():
            return None
        attributes[name.upper()] = None if value.upper() in ("[UNAVAILABLE]", "[TEMPUNAVAIL]") else value
    return attributes or None


def xtext(value: str) -> str:
    """Decode xtext, `+XX` for an octet; what is not UTF-8 is kept by surrogateescape."""
    octets = _XTEXT.sub(lambda found: bytes([int(found[1], 16)]), value.encode("utf-8", "surrogateescape"))
    return octets.decode("utf-8", "surrogateescape")


def received(
    *,
    helo: str,
    peer: str,
    hostname: str,
    protocol: str,
    id: str,
    at: datetime,
) -> bytes:
    """The trace field of RFC 5321 section 4.4. It names no recipient: a Bcc would show."""
    name = _UNPRINTABLE.sub("?", helo)[:255] or "unknown"
    # An IPv6 address literal carries its tag (RFC 5321 section 4.1.3).
    literal = f"IPv6:{peer}" if ":" in peer else peer
    date = _date(at.replace(microsecond=0))
    return (f"Received: from {name} ([{literal}])\r\n\tby {hostname} with {protocol} id {id};\r\n\t{date}\r\n").encode(
        "ascii", "replace"
    )


@lru_cache(maxsize=2)
def _date(second: datetime) -> str:
    """As RFC 5322 section 3.3 writes it."""
    return format_datetime(second)


def authenticated_by(head: bytes) -> str | None:
    """The user whom the Postfix before us authenticated, from the topmost Received field of a header section; None if it
    names none.

    Postfix writes it with `smtpd_sasl_authenticated_header = yes`, on a line of its own before the one that begins with
    "by". What the client chose (HELO, recipient, certificate) stands on other lines or behind that one and cannot break
    a line; fields below the topmost may all be the client's. Who sent the message must be trusted to have written one.
    """
    section = (b"\r\n" + head).partition(b"\r\n\r\n")[0]  # an empty one ends at once
    found = _TRACE.search(section)
    for line in found[1].split(b"\r\n")[1:] if found else ():
        if line.lstrip().startswith(b"by "):
            return None
        if (named := _AUTHENTICATED.fullmatch(line)) is not None:
            user = named[1].decode("utf-8", "surrogateescape")
            return user if user.isprintable() else None
    return None


def subject(head: bytes) -> str | None:
    """The first Subject field of a header section, encoded words decoded (RFC 2047), on one line; None if there is none."""
    found = _SUBJECT.search(head)
    if found is None:
        return None
    raw = _text(found[1][:_LONGEST_SUBJECT])
    try:
        words = decode_header(raw)
    except (HeaderParseError, binascii.Error, ValueError):
        return " ".join(raw.split())
    text = "".join(_word(word, charset) for word, charset in words)
    return " ".join(text.split())


def _word(word: bytes | str, charset: str | None) -> str:
    if isinstance(word, str):
        return word
    if charset is None:
        # decode_header hands unencoded text between encoded words back in this form.
        return word.decode("raw-unicode-escape", "replace")
    try:
        return word.decode(charset, "replace")
    except LookupError:
        return _text(word)


def _text(octets: bytes) -> str:
    """Octets of an undeclared charset: UTF-8, else GB18030 (the usual raw 8-bit subject in Chinese mail), else Latin-1."""
    for charset in ("utf-8", "gb18030"):
        try:
            return octets.decode(charset)
        except UnicodeDecodeError:
            continue
    return octets.decode("latin-1")
