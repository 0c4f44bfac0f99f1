"""RAR archives: headers read here, stored members too, packed ones by libarchive, each from an archive made for it.

libarchive 3.6 stops at the first encrypted header, at a damaged one, and at the end of a volume. So it is given an archive
of one member, or of those that were packed as one, in which nothing is encrypted any more.
"""

import zlib
from collections.abc import Iterator

from dlp.extract.archive import named
from dlp.extract.budget import Budget, Exhausted, Unreadable
from dlp.extract.charset import decode
from dlp.extract.document import Document
from dlp.extract.expand import Stored
from dlp.extract.format import Format, Pieces
from dlp.extract.leftover import leftover
from dlp.extract.passwords import OPENED
from dlp.extract.rar_crypt import Encryption
from dlp.extract.rar_headers import Entry, Listing, alone, listing
from dlp.extract.unarchive import Unarchiver
from dlp.model import Why, Zone

_TRIES = 40
"""Passwords tried on one archive: an attempt costs some 20 ms."""
_SERVICES = frozenset(("RR", "QO", "ACL", "UOW", "AV"))
"""Service records that hold no content of anybody: recovery data, the list of members again, rights, owner, signature."""
_Read = tuple[bytes, Unreadable | None]


def read(document: Document, budget: Budget) -> Pieces:
    """Members as documents inside, comments, NTFS streams, the names of all else, the targets of links."""
    archive = _Archive(document, budget)
    found = archive.listing
    if found.locked:
        raise Unreadable(Why.ENCRYPTED, "the list of members is encrypted")
    if found.damaged or not (found.ended or found.volume or found.entries):
        yield document.unread(Why.CORRUPT, "a header is damaged")
    for group in _groups(found.entries):
        yield from archive.group(group)
    if found.end < len(document.data):
        yield from leftover(document, found.end, len(document.data), budget)


def _groups(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Entries that only unpack one after the other; of those not packed as one, each alone."""
    group: list[Entry] = []
    for entry in entries:
        if entry.directory or entry.service or entry.target:
            if not (entry.service and entry.name in _SERVICES):
                yield [entry]
            continue
        if group and not entry.solid:
            yield group
            group = []
        group.append(entry)
    if group:
        yield group


class _Archive:
    """One archive while it is read, with the password that opens it once that is found."""

    def __init__(self, document: Document, budget: Budget) -> None:
        self._document = document
        self._budget = budget
        self._password: str | None = None
        self._tried = 0
        most = 4 * budget.limits.members
        self.listing: Listing = listing(memoryview(document.data), most=most, find=self._found, tick=budget.tick)

    def group(self, entries: list[Entry]) -> Pieces:
        """What these entries hold."""
        if entries[0].directory or entries[0].target:
            yield from named(self._document, entries[0].name, entries[0].target)
            return
        for entry, (content, end) in zip(entries, self._contents(entries), strict=True):
            self._budget.tick()
            if end is not None:
                yield self._document.unread(end.why, end.detail, trail=(entry.name,))
            if entry.service and entry.name == "CMT":
                yield from self._document.parts([decode(content, None)], zone=Zone.COMMENT)
                continue
            opened = self.listing.opened or (entry.encryption is not None and (end is None or end.why is not Why.ENCRYPTED))
            yield self._document.nested(content, name=entry.name or None, label="unnamed", trail=(OPENED,) if opened else ())

    def _contents(self, entries: list[Entry]) -> Iterator[_Read]:
        """The content of each, in order."""
        plain = [self._plain(entry, entries) for entry in entries]
        packed = [
            (entry, content)
            for entry, content in zip(entries, plain, strict=True)
            if not isinstance(content, Unreadable) and not entry.stored and not entry.before and entry.readable
        ]
        unpacked = self._unpacked([entry for entry, _ in packed], [content for _, content in packed])
        for entry, content in zip(entries, plain, strict=True):
            if isinstance(content, Unreadable):
                yield b"", content
            elif not entry.readable and not entry.stored:
                yield b"", Unreadable(Why.UNSUPPORTED, "packed by an old method, or as one with the members before it")
            elif entry.before and not entry.stored:
                yield b"", Unreadable(Why.CORRUPT, "begins in another volume")
            elif entry.stored:
                yield self._judged(entry, content, *self._budget.take(Stored(content[: entry.size]), packed=len(content)))
            else:
                yield self._judged(entry, content, *next(unpacked))

    def _unpacked(self, entries: list[Entry], contents: list[bytes | memoryview]) -> Iterator[_Read]:
        if not entries:
            return
        archive = alone(entries, contents, new=self.listing.new)
        done = 0
        end = Unreadable(Why.CORRUPT, "the members before it are damaged")
        with Unarchiver(archive, formats=["rar5" if self.listing.new else "rar"]) as unarchiver:
            try:
                for _ in unarchiver.entries():
                    yield self._budget.take(unarchiver, packed=len(contents[done]))
                    done += 1
            except Exhausted:
                raise
            except Unreadable as error:
                end = error
        for _ in entries[done:]:
            yield b"", end

    def _judged(self, entry: Entry, packed: bytes | memoryview, content: bytes, end: Unreadable | None) -> _Read:
        """What ended it early, if anything did: what was read is compared with what the header states."""
        if entry.after or entry.before:
            return content, Unreadable(Why.CORRUPT, "goes on in another volume" if entry.after else "begins in another volume")
        if end is None and (len(content) < entry.size or len(packed) < (entry.fields[0] if not self.listing.new else 0)):
            end = Unreadable(Why.CORRUPT, "a member is cut short")
        if end is None and entry.crc is not None and zlib.crc32(content) != entry.crc:
            end = Unreadable(Why.CORRUPT, "the checksum is another")
        return content, end

    def _plain(self, entry: Entry, group: list[Entry]) -> memoryview | bytes | Unreadable:
        """The packed content, decrypted where it is encrypted."""
        if entry.encryption is None:
            return entry.packed
        # Members packed as one have one password, and only the first of them can be tried alone.
        password = self._found(entry.encryption, entry) if entry is group[0] else self._password
        if password is None:
            return Unreadable(Why.ENCRYPTED, "an encrypted member")
        return entry.encryption.decrypted(entry.packed, password)

    def _found(self, encryption: Encryption, entry: Entry | None = None) -> str | None:
        """A password that opens the member, or without one the headers: the last one that did, or one that is known."""

        def fits(password: str) -> bool:
            return encryption.known and (encryption.check(password) if entry is None else self._fits(entry, password))

        def attempt(password: str) -> str | None:
            self._budget.tick()
            self._tried += 1
            return password if self._tried <= _TRIES and fits(password) else None

        if self._password is not None and fits(self._password):
            return self._password
        found = self._budget.passwords.opened(attempt)
        self._password = found or self._password
        return found

    def _fits(self, entry: Entry, password: str) -> bool:
        """Whether this password opens the member; where nothing else tells, by its checksum."""
        encryption = entry.encryption
        if encryption is None or not encryption.check(password):
            return False
        if encryption.sure:
            return True
        content, end = next(self._tested(entry, encryption.decrypted(entry.packed, password)))
        return end is None and (entry.crc is None or zlib.crc32(content) == entry.crc)

    def _tested(self, entry: Entry, plain: bytes) -> Iterator[_Read]:
        if entry.stored:
            yield plain[: entry.size], None
        else:
            yield from self._unpacked([entry], [plain])


FORMAT = Format(name="rar", media_types=("application/vnd.rar",), read=read, risky=True)
