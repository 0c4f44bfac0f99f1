"""Mail addresses and domains as a policy compares them, and the patterns an operator writes for them.

Domains compare in one form: NFKC, lower case, every non-ASCII label as its A-label (RFC 5890 section
2.3.2.1, Punycode of RFC 3492), the full stops of UTS #46 section 2.3 as ".", without a final dot. So
`例子.公司` equals `xn--fsqu00a.xn--55qx5d`. Local parts compare without regard to case: RFC 5321 section 2.4
lets a server tell them apart, hardly any does, and a policy must not be passed by writing `Alice@`.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from dlp.policy.faults import Wrong

_LABEL = re.compile(r"[^\s*@,;:/<>()]+")
_ROUTE = frozenset("@%!")
"""In a local part these have named a further hop: source routes, the percent hack and UUCP's bang path (RFC 5321
appendices C and F.2; RFC 1123 section 5.2.16). Postfix still honours them for clients it trusts."""


def canonical_domain(text: str) -> str:
    """The one form in which domains compare; never raises, whatever bytes a client sent."""
    name = unicodedata.normalize("NFKC", text).replace("。", ".").lower().removesuffix(".")
    return ".".join(_a_label(label) for label in name.split("."))


def _a_label(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")


@dataclass(frozen=True, slots=True)
class Address:
    """An address taken apart: local part (unquoted, case folded) and canonical domain, "" where there is none."""

    local: str
    domain: str

    @classmethod
    def of(cls, text: str) -> "Address":
        """`text` without angle brackets, as the SMTP session gave it; anything can be taken apart."""
        local, at, domain = text.strip().rpartition("@")
        if not at:
            local, domain = domain, ""
        if len(local) > 1 and local.startswith('"') and local.endswith('"'):
            local = re.sub(r"\\(.)", r"\1", local[1:-1])
        return cls(unicodedata.normalize("NFC", local).casefold(), canonical_domain(domain))

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def routed(self) -> bool:
        """The local part names a further hop: `bob%example.org@example.com` may end at example.org."""
        return not _ROUTE.isdisjoint(self.local)


@dataclass(frozen=True, slots=True)
class DomainPattern:
    """`example.com` is that domain alone; `*.example.com` or `.example.com` every domain below it, not itself."""

    name: str
    below: bool = False

    @classmethod
    def of(cls, text: str) -> "DomainPattern":
        """Raises Wrong for what is no domain."""
        below = text.startswith(("*.", "."))
        name = canonical_domain(text.removeprefix("*").removeprefix("."))
        if "*" in name:
            raise Wrong(f"{text!r} has a * inside a domain", "a * stands for whole leading labels only, as in *.example.com")
        if not all(_LABEL.fullmatch(label) for label in ([name] if name.startswith("[") else name.split("."))):
            raise Wrong(f"{text!r} is not a domain", "write example.com or *.example.com")
        return cls(name, below)

    @classmethod
    def covering(cls, domain: str) -> "Iterator[DomainPattern]":
        """Every pattern that matches the canonical `domain`, so that a table of patterns is looked up, not searched."""
        yield cls(domain)
        _, dot, above = domain.partition(".")
        while dot:
            yield cls(above, below=True)
            _, dot, above = above.partition(".")

    def matches(self, domain: str) -> bool:
        """Asked of a canonical domain."""
        return domain.endswith("." + self.name) if self.below else domain == self.name


@dataclass(frozen=True, slots=True)
class AddressPattern:
    """A domain pattern, or `local@domain` where `*` and `?` stand in the local part as in a file name."""

    domain: DomainPattern
    local: str | None = None

    @classmethod
    def of(cls, text: str) -> "AddressPattern":
        """`alice@example.com`, `hr-*@example.com`, `@example.com`, `example.com`, `*.gov.cn`. Raises Wrong."""
        local, at, domain = text.strip().rpartition("@")
        if not at and "." not in domain:
            raise Wrong(f"{text!r} is neither an address nor a domain", "write alice@example.com, example.com or *.example.com")
        return cls(DomainPattern.of(domain), Address.of(f"{local}@").local if local else None)

    def matches(self, address: Address) -> bool:
        return self.domain.matches(address.domain) and (self.local is None or fnmatchcase(address.local, self.local))
