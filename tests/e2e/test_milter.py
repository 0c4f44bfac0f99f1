"""The real daemon as a milter: what a mail server is told, and what is on record."""

import asyncio
import stat
from pathlib import Path

from tests.channels.milter_house import MailServer, Packet, deleted
from tests.helpers.daemon import configure, started
from tests.helpers.smtp import FakeHop, running

MARKED = "From: a@example.com\nSubject: plan\n{}MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n机密★10年\r\n"
OUT, INSIDE = b"<out@example.net>", b"<in@example.com>"


async def said(path: Path, message: str, *recipients: bytes) -> list[Packet]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    client = MailServer(reader, writer)
    await client.hello()
    answer = await client.message(message.encode(), *recipients, user="bob", sender=b"<a@example.com>")
    writer.close()
    return answer


async def test_a_message_is_refused_held_in_part_and_known_again_once_released(tmp_path: Path) -> None:
    async with running(FakeHop()) as hop:
        extra = f'[milter]\nlisten = ["unix:milter.sock"]\nsplit = true\nsocket_mode = 0o600\nnext_hop = "{hop.url}"\n'
        config, path = configure(tmp_path, extra=extra), tmp_path / "milter.sock"
        with started(config) as daemon:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert (await said(path, "Subject: hello\n\nGood morning.\r\n", OUT))[-1] == ("a", b"")

            ((letter, reply),) = await said(path, MARKED.format(""), OUT)
            (incident,) = daemon.json("incidents", "list")
            assert (letter, reply) == ("y", f"550 5.7.1 Message refused by policy, reference {incident['id']}\0".encode())
            assert (incident["origin"]["user"], incident["origin"]["peer"]) == ("bob", "192.0.2.7:40123")

            answer = await said(path, MARKED.format(""), OUT, INSIDE)
            assert [data for letter, data in answer if letter == "-"] == [OUT + b"\0"]
            assert answer[-1] == ("a", b"")

            *_, held = daemon.json("quarantine", "list")
            assert held["origin"]["recipients"] == ["out@example.net"]
            released = await asyncio.to_thread(daemon.dlp, "quarantine", "release", held["id"])
            assert released.returncode == 0, released.stderr
            assert hop.said("RCPT") == [b"RCPT TO:" + OUT]
            again = hop.messages[0].decode().replace("\r\n", "\n").replace("机密★10年\n", "机密★10年\r\n")
            answer = await said(path, again, OUT)
            assert deleted(answer) == [("x-dlp-released", 1)]
            assert answer[-1] == ("a", b"")
            # The same seal on other content, and no seal on the same, open nothing.
            assert (await said(path, again.replace("10年", "20年"), OUT))[-1][0] == "y"
            assert (await said(path, MARKED.format(""), OUT))[-1][0] == "y"
    assert not path.exists()
