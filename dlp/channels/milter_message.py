"""One message as the packets of a mail server bring it, put together as the mail server will send it on."""

import hashlib
from collections import Counter
from collections.abc import Callable

from dlp.channels.smtp_session import HOPS, NO_ROOM
from dlp.channels.smtp_syntax import Address, subject
from dlp.channels.smtp_wire import Storage, claim
from dlp.model import ReleaseClaim

RECIPIENTS = 100_000
"""Of one message. Postfix takes 1000 by SMTP, and any number from its own machine."""

_PIECE = 1 << 16
"""Bytes of fields stored at a time."""
_OURS = b"x-dlp-"
_RELEASED = b"x-dlp-released"


class Message:
    """From MAIL to the end of data.

    The sender's own X-DLP-* fields are left out; `theirs` says which they were. `store` is asked for
    storage when the content begins, and gives None while there is no room. `space`: values bring the
    space behind the colon themselves.
    """

    def __init__(self, sender: Address, store: Callable[[], Storage | None], *, space: bool) -> None:
        self.sender = sender
        self.recipients: list[Address] = []
        self.theirs: list[tuple[bytes, int]] = []
        self.storage: Storage | None = None
        self._store = store
        self._wrong = ""
        self.space = space
        self._colon = b":" if space else b": "
        self._head = bytearray()
        self._counts: Counter[bytes] = Counter()
        self._in_body = False
        self._hops = 0
        self._subject = b""
        self._claim = b""
        self._digest = hashlib.sha256()

    @property
    def subject(self) -> str | None:
        """Decoded, as smtp_syntax.subject does; None where there is none."""
        return subject(self._subject)

    @property
    def claim(self) -> ReleaseClaim | None:
        """The message's own word that it was released, once it is complete; None where it says nothing of the kind.
        The body's digest is computed for that alone."""
        return claim(self._claim, self._digest.hexdigest())

    def add_recipient(self, recipient: Address) -> None:
        """One more of them."""
        if len(self.recipients) < RECIPIENTS:
            self.recipients.append(recipient)
        else:
            self._wrong = "452 4.5.3 Too many recipients"

    def add_header(self, name: bytes, value: bytes) -> None:
        """The next field; the mail server folds it with bare LF, and sends it on with CRLF."""
        known = name.strip().lower()
        if b"\n" in value:
            value = value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        line = b"%b%b%b\r\n" % (name, self._colon, value)
        if known.startswith(_OURS):
            self._leave_out(known, line)
            return
        if known == b"received":
            self._hops += 1
        elif known == b"subject" and not self._subject:
            self._subject = line
        self._head += line
        if len(self._head) >= _PIECE:
            self._keep_head()

    def _leave_out(self, known: bytes, line: bytes) -> None:
        self._counts[known] += 1
        self.theirs.append((known, self._counts[known]))
        if known == _RELEASED and not self._claim:
            self._claim = line

    def end_header(self) -> None:
        """The header section is complete; may be said again."""
        if not self._in_body:
            self._in_body = True
            self._head += b"\r\n"
            self._keep_head()

    def add_body(self, data: bytes) -> None:
        """The next piece of the body."""
        self.end_header()
        if self._claim:
            self._digest.update(data)
        self._keep(data)

    def _keep_head(self) -> None:
        self._keep(bytes(self._head))
        self._head.clear()

    def _keep(self, content: bytes) -> None:
        if self.storage is None and not self._wrong:
            self.storage = self._store()
            if self.storage is None:
                self._wrong = NO_ROOM
        if self.storage is not None:
            self.storage.keep(content)

    def complaint(self) -> str:
        """What the complete message is refused with; "" if it may be judged."""
        self.end_header()
        if self._hops > HOPS:
            return "554 5.4.6 Too many hops"
        return self._wrong or (self.storage.wrong if self.storage else "")

    def close(self) -> None:
        """Nothing will come of it."""
        if self.storage is not None:
            self.storage.close()
