"""Who is at the other end of a session, as far as it is known."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who is sending: as the socket shows it, or as a trusted peer tells by XCLIENT and XFORWARD."""

    addr: str
    port: str
    helo: str = ""
    user: str | None = None
    queue_id: str | None = None

    @property
    def endpoint(self) -> str:
        """ "host:port", an IPv6 host in brackets."""
        return f"[{self.addr}]:{self.port}" if ":" in self.addr else f"{self.addr}:{self.port}"

    def told(self, attributes: dict[str, str | None]) -> "Client":
        """With what a trusted peer says; an attribute it does not know leaves what we see."""
        return replace(
            self,
            addr=(attributes.get("ADDR") or self.addr).removeprefix("IPV6:"),
            port=attributes.get("PORT") or self.port,
            helo=attributes.get("HELO") or self.helo,
            user=attributes.get("LOGIN", self.user),
            queue_id=attributes.get("IDENT", self.queue_id),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """How a message came in: the socket's peer, its HELO and the protocol (RFC 3848), and whom it says it speaks for."""

    peer: str
    helo: str
    protocol: str
    client: Client
