"""Listening sockets: those that were handed to us, and those we make ourselves.

A socket that the supervisor holds outlives a restart: who connects meanwhile waits in its queue, and nobody is refused.
"""

import socket
from collections.abc import Sequence

from dlp.channels.relay import parse_endpoint

BACKLOG = 1024


def listening(addresses: Sequence[str], given: Sequence[socket.socket] = ()) -> list[socket.socket]:
    """A listening socket for each "host:port": of those `given` the one that is bound there, else a new one.

    Raises OSError where an address cannot be bound, and leaves none of the new ones open then.
    """
    found: list[socket.socket] = []
    made: list[socket.socket] = []
    try:
        for host, port in map(parse_endpoint, addresses):
            for family, _, _, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE):
                listener = next((one for one in given if one.getsockname()[:2] == place[:2]), None)
                if listener is None:
                    listener = _bound(family, place)
                    made.append(listener)
                found.append(listener)
    except OSError:
        for one in made:
            one.close()
        raise
    return found


def _bound(family: int, place: tuple[object, ...]) -> socket.socket:
    # The protocol is named, since asyncio sets TCP_NODELAY only on a socket whose protocol it can see to be TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(place)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"{error.strerror}: {place[0]}:{place[1]}") from error
    return listener
