"""Who has signed a non-disclosure agreement, and until when: partners.toml.

[[partner]]
name = "Example Laboratories"
domains = ["lab.example.org"]
nda = "NDA-2026-014"
expires = 2027-12-31
tls = true
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from dlp.policy.addresses import Address, DomainPattern
from dlp.policy.faults import Faults, Wrong, distinct
from dlp.settings import load


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """One agreement. `domains` as in `Organisation`; `nda` its number; `expires` the last day on which it holds.

    `tls` is the operator's word that his mail server sends to these domains over TLS or not at all.
    """

    name: str
    domains: tuple[str, ...]
    nda: str
    expires: date
    tls: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnersFile:
    """The shape of partners.toml."""

    partner: tuple[Partner, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Partners:
    """All agreements, those that have run out included, by domain. One partner may have several."""

    by_domain: Mapping[DomainPattern, tuple[Partner, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, partners: Iterable[Partner]) -> "Partners":
        """Raises Wrong for what is no domain."""
        by_domain: dict[DomainPattern, tuple[Partner, ...]] = {}
        for one in partners:
            for pattern in map(DomainPattern.of, one.domains):
                by_domain[pattern] = (*by_domain.get(pattern, ()), one)
        return cls(by_domain=by_domain)

    def find(self, address: Address, day: date) -> Partner | None:
        """The partner under whose agreement mail to `address` goes on `day`, which is a local date.

        Of several the one that holds longest. An address whose local part names a further hop is nobody's.
        """
        return max(self._holding(address, day), key=lambda one: (one.expires, one.nda), default=None)

    def tls(self, address: Address, day: date) -> bool:
        """Whether an agreement that holds on `day` says that mail to `address` goes over TLS or not at all."""
        return any(one.tls for one in self._holding(address, day))

    def _holding(self, address: Address, day: date) -> Iterator[Partner]:
        patterns = () if address.routed else DomainPattern.covering(address.domain)
        return (one for pattern in patterns for one in self.by_domain.get(pattern, ()) if day <= one.expires)


def load_partners(path: Path) -> Partners:
    """Raises ConfigError with every fault."""
    listed, faults = load(path, PartnersFile).partner, Faults(str(path))
    for number, one in enumerate(listed):
        with faults.at(f"partner.{number}.domains"):
            if not one.domains:
                raise Wrong("names no domain", 'write domains = ["example.org"]')
        for domain in one.domains:
            with faults.at(f"partner.{number}.domains"):
                DomainPattern.of(domain)
    with faults.at("partner"):
        distinct([one.nda for one in listed], "agreement")
    faults.settle()
    return Partners.of(listed)
