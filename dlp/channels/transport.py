"""How safe a connection to the next hop is."""

import ipaddress

from dlp.model import Transport

_STRENGTH = (Transport.UNKNOWN, Transport.CLEAR, Transport.UNVERIFIED, Transport.VERIFIED, Transport.LOCAL)


def weaker(one: Transport, other: Transport) -> bool:
    """`one` keeps less from others' eyes than `other`."""
    return _STRENGTH.index(one) < _STRENGTH.index(other)


def transport_of(peer: object, *, encrypted: bool, verified: bool) -> Transport:
    """What a connection to `peer` is; `verified` says that TLS, where it is spoken, has checked the certificate."""
    if local(peer):
        return Transport.LOCAL
    if not encrypted:
        return Transport.CLEAR
    return Transport.VERIFIED if verified else Transport.UNVERIFIED


def local(peer: object) -> bool:
    """A peer's name, as the socket gives it, is that of a UNIX socket or of the loopback."""
    if not isinstance(peer, tuple):
        return isinstance(peer, str | bytes)
    address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
