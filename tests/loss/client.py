"""The load: several sessions that send messages and try again, as a mail server would, until each is taken or refused."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.helpers.smtp import Conversation, stuffed
from tests.loss.messages import OUTSIDE, SENDER, Message
from tests.loss.records import LOST, Attempt

_REPLY = 120.0
"""Seconds a session waits for a reply; the gateway gives its own after 80."""


@dataclass
class Load:
    """What was sent and what was answered. `answers` are final: 2xx or 5xx; `retries` count everything else."""

    port: int
    sessions: int
    chance: random.Random
    answers: dict[str, str] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    under_way: set[str] = field(default_factory=set)
    retries: int = 0

    async def send(self, messages: Iterable[Message]) -> None:
        """Every message, until it is answered."""
        waiting = deque(messages)
        await asyncio.gather(*(self._session(waiting) for _ in range(self.sessions)))

    async def _session(self, waiting: deque[Message]) -> None:
        talk: Conversation | None = None
        left = 0
        while waiting:
            message = waiting.popleft()
            while message.id not in self.answers:
                try:
                    if talk is None or left < 1:
                        await _leave(talk)
                        talk, left = None, self.chance.randint(1, 20)
                        talk = await _connected(self.port)
                    left -= 1
                    reply = await self._transaction(talk, message)
                except (OSError, EOFError, TimeoutError):
                    reply = LOST
                if reply[:1] in ("2", "5"):
                    self.answers[message.id] = reply
                else:
                    self.retries += 1
                    talk = await _leave(talk)
                    await asyncio.sleep(self.chance.uniform(0.05, 0.3))
        await _leave(talk)

    async def _transaction(self, talk: Conversation, message: Message) -> str:
        """The last reply; LOST where the connection ended after the content had begun."""
        for line in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{OUTSIDE}>", "DATA"):
            reply = await _said(talk, line)
            if reply[:1] not in ("2", "3"):
                return reply
        begin, reply = time.time(), LOST
        self.under_way.add(message.id)
        try:
            await talk.send(stuffed(message.content))
            reply = await _answer(talk)
        finally:
            self.under_way.discard(message.id)
            self.attempts.append(Attempt(message.id, begin, time.time(), reply))
        return reply


async def _connected(port: int) -> Conversation:
    talk = Conversation(*await asyncio.open_connection("127.0.0.1", port))
    try:
        greeting = await _answer(talk)
        if greeting[:1] != "2" or (await _said(talk, "EHLO client.example"))[:1] != "2":
            raise EOFError(greeting)
    except BaseException:
        talk.writer.close()
        raise
    return talk


async def _leave(talk: Conversation | None) -> None:
    if talk is not None:
        talk.writer.close()


async def _said(talk: Conversation, line: str) -> str:
    await talk.send(line.encode() + b"\r\n")
    return await _answer(talk)


async def _answer(talk: Conversation) -> str:
    """The next reply. Raises EOFError where there is none, TimeoutError where none came in time."""
    lines = []
    while line := await asyncio.wait_for(talk.reader.readline(), _REPLY):
        lines.append(line.decode("utf-8", "surrogateescape").removesuffix("\r\n"))
        if line[3:4] != b"-":
            return "\r\n".join(lines)
    raise EOFError("closed")
