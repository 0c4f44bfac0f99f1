"""ZIP as archives and office packages use it: members read under a budget, damage told.

The central directory is believed first. What it does not list, and everything where it cannot be read, is found
by the local headers: readers differ in which they believe, and a leak may stand in either.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dlp.extract import zip_data, zip_entries
from dlp.extract.budget import Budget, Exhausted, Readable, Unreadable
from dlp.extract.document import Document
from dlp.extract.expand import Stored
from dlp.extract.zip_entries import LOCAL, STRONG, Directory, Header
from dlp.model import Why

_OVERLAPPING = 16
"""Entries that overlap others and are read all the same; more are the bomb of D. Fifield, "A better zip bomb" (WOOT 2019)."""
_TRIED = 2_000
"""Passwords tried in one archive at the most."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry: its header in the directory, or its local header where the directory does not list it; its packed size."""

    name: str
    encrypted: bool
    directory: bool
    size: int
    header: Header


class Package:
    """An opened ZIP. `damage` are the sentences that say what is wrong with its structure."""

    def __init__(self, document: Document, budget: Budget) -> None:
        """Raises Unreadable(corrupt) where there is not even a local header."""
        self._data = document.data
        self._budget = budget
        self._password: str | None = None
        self._tried = 0
        self._directory = zip_entries.directory(document.data, most=4 * budget.limits.members)
        self.damage = self._directory.damage
        self.comment = self._directory.comment
        self.gaps: list[tuple[int, int]] = []
        """Where bytes stand that belong to no member: begin and end."""
        self.members = list(self._listed(self._directory))
        if not self.members and not self._directory.found:
            raise Unreadable(Why.CORRUPT, "not a readable ZIP")

    def read(self, member: Member) -> tuple[bytes, Unreadable | None]:
        """A member's content as far as it can be read, and what ended it early."""
        try:
            content, end = self._budget.take(self.stream(member), packed=member.size)
        except Exhausted:
            raise
        except Unreadable as error:
            content, end = b"", error
        if end is not None and end.why in (Why.CORRUPT, Why.UNSUPPORTED) and not member.encrypted:
            return self._otherwise(member, content, end)
        return content, end

    def stream(self, member: Member) -> Readable:
        """A member's content, not yet read. Raises Unreadable."""
        header = member.header
        if not member.encrypted:
            content = zip_data.packed(self._data, header)
            whole = zip_data.whole(content, header)
            return self._stream(header, content, header.method) if whole is None else Stored(whole)
        if header.flags & STRONG:
            raise Unreadable(Why.ENCRYPTED, "an encrypted member")
        opened = self._opened(header)
        if opened is None:
            raise Unreadable(Why.ENCRYPTED, "an encrypted member")
        return self._stream(header, *opened)

    def alone(self, member: Member) -> bytes:
        """An archive of this member only."""
        return zip_data.alone(self._data, member.header)

    def packed(self, member: Member) -> memoryview:
        """A member's content as it is stored."""
        return zip_data.packed(self._data, member.header)

    def _stream(self, header: Header, content: bytes | memoryview, method: int) -> Readable:
        inner = zip_data.stream(content, method, self._budget)
        # AE-2 states no checksum, its MAC is one.
        return zip_data.Checked(inner, header, method=method, checksum=header.method != zip_entries.AES)

    def _opened(self, header: Header) -> tuple[bytes | memoryview, int] | None:
        """The content decrypted with the password that opened another member, or with one that is known."""
        if self._password is not None and (found := zip_data.decrypted(self._data, header, self._password)) is not None:
            return found

        def attempt(password: str) -> tuple[bytes | memoryview, int] | None:
            self._budget.tick()
            self._tried += 1
            found = zip_data.decrypted(self._data, header, password) if self._tried <= _TRIED else None
            if found is None or not self._plausible(header, *found):
                return None
            self._password = password
            return found

        return self._budget.passwords.opened(attempt)

    def _plausible(self, header: Header, content: bytes | memoryview, method: int) -> bool:
        """Whether a few bytes of it can be decompressed, and all of a small one is right: a password may fit by chance."""
        try:
            stream = self._stream(header, content, method)
            while header.size <= 1 << 20 and stream.read(1 << 16):
                self._budget.tick()
            stream.read(1 << 16)
        except Exhausted:
            raise
        except Unreadable as error:
            return error.why is Why.UNSUPPORTED
        return True

    def _otherwise(self, member: Member, content: bytes, end: Unreadable) -> tuple[bytes, Unreadable]:
        """What the local header makes of a member that the directory's entry does not fit; the longer of both."""
        local = zip_entries.local(self._data, member.header.local)
        if local is None or (local.method, local.packed) == (member.header.method, member.header.packed) or local.encrypted:
            return content, end
        other = Member(member.name, False, False, local.packed or member.size, local)
        try:
            found, _ = self._budget.take(self.stream(other), packed=other.size)
        except Exhausted:
            raise
        except Unreadable:
            return content, end
        return max(content, found, key=len), Unreadable(Why.CORRUPT, "the headers of a member differ")

    def _listed(self, directory: Directory) -> Iterator[Member]:
        """The directory's entries, few of those that overlap; then the local headers outside all of them."""
        taken: list[tuple[int, int]] = []
        dropped: set[int] = set()
        places: set[int] = set()
        overlapping = last = 0
        for header in sorted(directory.entries, key=lambda entry: entry.local):
            if header.local < last:
                overlapping += 1
                if overlapping > _OVERLAPPING or header.local in places:
                    dropped.add(id(header))
            else:
                last = header.data + header.packed
                taken.append((header.local, last))
            places.add(header.local)
        if overlapping:
            self.damage.append("entries overlap")
        for header in directory.entries:
            if id(header) not in dropped:
                yield _member(header)
        if directory.found:
            taken.append((directory.start, directory.end))
        yield from self._unlisted(taken)

    def _unlisted(self, taken: list[tuple[int, int]]) -> Iterator[Member]:
        at = 0
        for start, end in [*taken, (len(self._data), len(self._data))]:
            while at < start and (match := LOCAL.search(self._data, at, start)) is not None:
                header = zip_entries.local(self._data, match.start())
                if header is None:
                    break
                self._gap(at, match.start())
                self.damage.append("a member that the directory does not list")
                yield _member(header, rest=len(self._data))
                at = max(match.end(), header.data + header.packed)
                self._budget.tick()
            self._gap(at, start)
            at = max(at, end)

    def _gap(self, start: int, end: int) -> None:
        if end > start:
            self.gaps.append((start, end))


def _member(header: Header, *, rest: int = 0) -> Member:
    size = header.packed or max(rest - header.data, 0)  # a data descriptor may state it (APPNOTE 4.3.9)
    return Member(header.name, header.encrypted, header.name.endswith("/"), size, header)
