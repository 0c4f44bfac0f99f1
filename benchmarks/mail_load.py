"""What smtp-source does not tell: how long each message takes, from connecting to the reply after its dot.

    python -m benchmarks.mail_load --port 25 --file message.eml --sessions 10 --seconds 2

As smtp-source does it, every message has a connection of its own, and as many are under way as there are sessions.
Prints the latencies in seconds as a JSON list. Blocking sockets, a thread a session: the cheapest client that Python has.
"""

import argparse
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path


class Refused(Exception):
    """The server did not say what it should."""


@dataclass
class Load:
    """Messages to one port until both `seconds` have gone by and `least` messages are through."""

    port: int
    wire: bytes
    seconds: float
    least: int
    pause: float
    latencies: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def run(self, sessions: int) -> None:
        """All sessions, to their end."""
        threads = [threading.Thread(target=self._session) for _ in range(sessions)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _session(self) -> None:
        end = time.monotonic() + self.seconds
        while not self.errors and (time.monotonic() < end or len(self.latencies) < self.least):
            started = time.perf_counter()
            try:
                self._message(started)
            except (OSError, Refused) as error:
                self.errors.append(f"{type(error).__name__}: {error}")
            time.sleep(self.pause)

    def _message(self, started: float) -> None:
        with socket.create_connection(("127.0.0.1", self.port), timeout=300) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client.makefile("rb") as replies:

                def expect(kind: bytes) -> None:
                    line = replies.readline()
                    while line[3:4] == b"-":
                        line = replies.readline()
                    if not line.startswith(kind):
                        raise Refused(f"{line!r} where {kind!r} was expected")

                expect(b"2")
                for command, kind in (
                    (b"EHLO client.example.com\r\n", b"2"),
                    (b"MAIL FROM:<sender@example.com>\r\n", b"2"),
                    (b"RCPT TO:<recipient@example.net>\r\n", b"2"),
                    (b"DATA\r\n", b"3"),
                    (self.wire, b"2"),
                ):
                    client.sendall(command)
                    expect(kind)
                self.latencies.append(time.perf_counter() - started)
                client.sendall(b"QUIT\r\n")
                expect(b"2")


def wire(content: bytes) -> bytes:
    """A message with the line ends of Unix as it is said after DATA."""
    return content.replace(b"\n.", b"\n..").replace(b"\n", b"\r\n") + b".\r\n"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="latencies of messages")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--least", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.0)
    given = parser.parse_args()
    load = Load(given.port, wire(given.file.read_bytes()), given.seconds, given.least, given.pause)
    load.run(given.sessions)
    if load.errors:
        raise SystemExit(load.errors[0])
    print(json.dumps([round(one, 6) for one in load.latencies]))


if __name__ == "__main__":
    main()
