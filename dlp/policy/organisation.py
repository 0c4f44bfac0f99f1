"""What is inside; every other recipient is external."""

from dataclasses import dataclass

from dlp.policy.addresses import Address, DomainPattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """The table `[organisation]` of dlp.toml. A subdomain is inside only if it, or `*.example.com`, is listed."""

    name: str = ""
    domains: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError (Wrong) for what is no domain, which a loader reports as a fault of this table."""
        _ = self.patterns

    @property
    def patterns(self) -> frozenset[DomainPattern]:
        """What is inside, ready for `within`."""
        return frozenset(map(DomainPattern.of, self.domains))

    def inside(self, address: str) -> bool:
        """Whether mail to `address` stays in the organisation."""
        return within(self.patterns, Address.of(address))


def within(patterns: frozenset[DomainPattern], address: Address) -> bool:
    """Whether mail to `address` stays in the domains of `patterns`.

    It does not, to be on the safe side, where the address has no domain, is the null address, or has a local part
    that names a further hop (`bob%example.org@example.com`): the next server may send it there.
    """
    return bool(address.local) and not address.routed and any(one in patterns for one in DomainPattern.covering(address.domain))
