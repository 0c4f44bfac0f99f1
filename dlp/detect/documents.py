"""Declared documents: found again whole, or in part.

Cheap first: the bytes of each file, by a keyed hash. Then the text of the item, by its fingerprints: a document is seen where
enough of its fingerprints stand near each other. Two kinds of fingerprints prove nothing and are left out: those that stand in
the set of public documents and templates, and those that more than MOST_FAMILIES declared documents share, versions of one
document counting once.
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlp.detect import fingerprints
from dlp.detect.fingerprint_index import Declared, Index, Indexes
from dlp.detect.fingerprints import ASKED, GRAM, Hashes, Positions, Press
from dlp.detect.normalise import Folded
from dlp.detect.register import BuiltIn, Seen
from dlp.model import Finding, Trail, Unscannable, Why, Zone
from dlp.redact import mask

DECLARED = BuiltIn(name="declared_document", title="A declared document, whole or in part", title_zh="已申报文件（全文或片段）")

LEAST = 300
"""Characters that count which a document needs so that parts of it are found; of a shorter one only its bytes are."""
HITS = 8
"""Distinct fingerprints of one document that have to stand near each other."""
REACH = 600
"""Near: within so many characters that count. Intact text has a fingerprint every 16.5 characters, so that eight span 130;
where every twentieth character is another, half of them are left, and chance spreads those."""
THIN_HITS, THIN_LEAST, THIN_MOST, THIN_GAP = 7, 120, 400, 120
"""One hit fewer is enough where they stand evenly: from the first to the last between these many characters, and none further
from the next. A quotation is dense and short, a reworded excerpt thin and long."""
MOST_FAMILIES = 3
"""Declared documents that may share a fingerprint that still counts."""
COPY = 80
"""Percent of a document's fingerprints that make a copy of it."""
MOST_PAIRS = 4_000_000
"""Pairs of a fingerprint and a document looked at in one item."""
MOST_FINDINGS = 2000
_FILE, _COPY = 100, 98
"""Confidence in a file with the same bytes, and in a copy."""
_PART, _EACH, _SUREST = 80, 1, 95
"""Confidence in a part: this, and so much more for each fingerprint beyond HITS, at most the last."""


def open_documents(folder: Path, key: bytes) -> "Documents | None":
    """What is declared under `folder`, with the public set beside it; None where no document is. Raises ConfigError."""
    index = Index.opened(folder / "documents")
    if index is None or not index.entries:
        return None
    fingerprints.prepare()
    return Documents(index, Index.opened(folder / "public"), key)


def file_hash(sha256: bytes, key: bytes) -> int:
    """What an index keeps of a file's bytes: 64 bits, by the key, so that nobody without it can ask whether a file is in."""
    return int.from_bytes(hmac.digest(key, sha256, hashlib.sha256)[:8], "big")


@dataclass(frozen=True, slots=True)
class _Sight:
    """Hits, ordered by document and place: which entry (its index), which fingerprint, where (characters that count)."""

    entries: Indexes
    hashes: Hashes
    places: Positions

    def at(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> "_Sight":
        return _Sight(self.entries[chosen], self.hashes[chosen], self.places[chosen])


class Documents:
    """The register of declared documents; implements `dlp.detect.register.Register`."""

    signatures: Sequence[BuiltIn] = (DECLARED,)

    def __init__(self, index: Index, public: Index | None, key: bytes) -> None:
        self._index, self._key = index, key
        self._public = public if public is not None and public.entries else None
        self._by_number = {entry.number: entry for entry in index.entries}
        self._place = np.full(index.following, -1, dtype=np.int64)
        self._place[[entry.number for entry in index.entries]] = np.arange(len(index.entries))
        self._family = np.array([entry.family for entry in index.entries], dtype=np.int64)
        self._expires = np.array([_seconds(entry.expires) for entry in index.entries])

    def findings(self, seen: Seen) -> Iterator[Finding | Unscannable]:
        """See Register; one for each document and trail. An entry that has expired gives none."""
        now = datetime.now(UTC).timestamp()
        whole: dict[int, list[Trail]] = {}
        for trail, sha256 in seen.files:
            for entry in self._same_bytes(sha256, now):
                whole.setdefault(entry.number, []).append(trail)
                yield _file_finding(entry, trail)
        if self._index.segments:
            yield from self._parts(seen, now, whole)

    def _same_bytes(self, sha256: bytes, now: float) -> Iterator[Declared]:
        wanted = file_hash(sha256, self._key)
        if self._public is None or wanted not in self._public.files:
            for number in self._index.files.get(wanted, ()):
                if self._expires[self._place[number]] > now:
                    yield self._by_number[number]

    def _parts(self, seen: Seen, now: float, whole: Mapping[int, Sequence[Trail]]) -> Iterator[Finding | Unscannable]:
        press, starts = Press(self._key, ASKED, self._index.likely), []
        for _, folded in seen.texts:
            starts.append(press.characters)
            press.feed(folded.text)
        prints = press.finish()
        sight, complete = self._sight(prints.hashes, prints.positions, now)
        if not complete:
            yield Unscannable(why=Why.TOO_MANY, detail=f"more than {MOST_PAIRS} fingerprints of declared documents")
        yield from self._located(seen, np.array(starts, dtype=np.int64), sight, whole)

    def _sight(self, hashes: Hashes, positions: Positions, now: float) -> tuple[_Sight, bool]:
        """Every hit that counts, and whether all were looked at."""
        indexes, numbers, complete = self._index.look_up(hashes, MOST_PAIRS)
        entries = self._place[numbers]
        alive = (entries >= 0) & (self._expires[entries] > now)
        indexes, entries = indexes[alive], entries[alive]
        counts = self._telling(hashes, indexes, entries)
        indexes, entries = indexes[counts], entries[counts]
        # The last hash of a window that begins there: whichever of its hashes is the least, this character is in its run.
        found = _Sight(entries, hashes[indexes], positions[indexes] + ASKED - 1)
        return found.at(np.lexsort((found.places, found.entries))), complete

    def _telling(self, hashes: Hashes, indexes: Indexes, entries: Indexes) -> NDArray[np.bool_]:
        """Whether each hit's fingerprint proves something: few documents have it, and no public one."""
        families = np.unique(indexes * self._index.following + self._family[entries]) // self._index.following
        shared = np.bincount(families, minlength=hashes.size) > MOST_FAMILIES
        telling = ~shared[indexes]
        if self._public is not None and telling.any():
            asked = np.unique(indexes[telling])
            known, _, _ = self._public.look_up(hashes[asked], MOST_PAIRS)
            public = np.zeros(hashes.size, dtype=np.bool_)
            public[asked[known]] = True
            telling &= ~public[indexes]
        return telling

    def _located(
        self, seen: Seen, starts: Positions, sight: _Sight, whole: Mapping[int, Sequence[Trail]]
    ) -> Iterator[Finding | Unscannable]:
        near = sight.at(_near(sight))
        owners = np.searchsorted(starts, near.places, side="right") - 1
        groups: dict[tuple[int, Trail], list[int]] = {}
        for row, (place, owner) in enumerate(zip(near.entries.tolist(), owners.tolist(), strict=True)):
            groups.setdefault((place, seen.texts[owner][0].trail), []).append(row)
        told = 0
        for (place, trail), rows in groups.items():
            entry = self._index.entries[place]
            if any(trail[: len(above)] == above for above in whole.get(entry.number, ())):
                continue
            told += 1
            if told > MOST_FINDINGS:
                yield Unscannable(
                    why=Why.TOO_MANY, detail=f"more than {MOST_FINDINGS} declared documents; the rest are not listed"
                )
                return
            part, folded = seen.texts[int(owners[rows[0]])]
            offset, excerpt = _excerpt(part.text, folded, int(near.places[rows[0]] - starts[owners[rows[0]]]))
            hits = int(np.unique(near.hashes[rows]).size)
            share = 100 * int(np.unique(sight.hashes[sight.entries == place]).size) // entry.prints
            yield Finding(
                signature=DECLARED.name,
                level=entry.level,
                confidence=_COPY if share >= COPY else min(_SUREST, _PART + _EACH * max(0, hits - HITS)),
                count=hits,
                trail=trail,
                zone=part.zone,
                offset=offset,
                excerpt=excerpt,
                facts=_facts(entry, "copy" if share >= COPY else "part") | {"share": f"{share} %", "hits": str(hits)},
            )


def _near(sight: _Sight) -> NDArray[np.bool_]:
    """Which hits stand near enough other ones of their document; `sight` is ordered by document and place."""
    rows = np.flatnonzero(~_repeated(sight))
    entries, places = sight.entries[rows], sight.places[rows]
    chosen = np.zeros(sight.entries.size, dtype=np.bool_)
    chosen[rows[_dense(entries, places) | _even(entries, places)]] = True
    return chosen


def _dense(entries: Indexes, places: Positions) -> NDArray[np.bool_]:
    """Which stand among HITS of their document within REACH."""
    first, last = _runs(entries.size, HITS)
    return _covered((entries[last] == entries[first]) & (places[last] - places[first] <= REACH), entries.size, HITS)


def _even(entries: Indexes, places: Positions) -> NDArray[np.bool_]:
    """Which stand among THIN_HITS of their document that are spread evenly."""
    first, last = _runs(entries.size, THIN_HITS)
    wide = np.concatenate(([0], np.cumsum(np.diff(places) > THIN_GAP)))[: entries.size]
    span = places[last] - places[first]
    even = (span >= THIN_LEAST) & (span <= THIN_MOST) & (wide[last] == wide[first])
    return _covered((entries[last] == entries[first]) & even, entries.size, THIN_HITS)


def _runs(size: int, length: int) -> tuple[slice, slice]:
    """The first and the last of every `length` in a row."""
    return slice(0, max(0, size - length + 1)), slice(length - 1, None)


def _covered(runs: NDArray[np.bool_], size: int, length: int) -> NDArray[np.bool_]:
    """Which of `size` things are in one of the runs of `length` that begin where `runs` says."""
    steps = np.zeros(size + 1, dtype=np.int64)
    steps[: runs.size] += runs
    steps[length : length + runs.size] -= runs
    return np.cumsum(steps[:-1]) > 0


def _repeated(sight: _Sight) -> NDArray[np.bool_]:
    """Which hits repeat one of the same document within REACH before: the same phrase ten times proves no more than once."""
    order = np.lexsort((sight.places, sight.hashes, sight.entries))
    entries, hashes, places = sight.entries[order], sight.hashes[order], sight.places[order]
    again = np.zeros(order.size, dtype=np.bool_)
    same = (entries[1:] == entries[:-1]) & (hashes[1:] == hashes[:-1]) & (places[1:] - places[:-1] < REACH)
    again[order[1:]] = same
    return again


def _excerpt(text: str, folded: Folded, place: int) -> tuple[int, str]:
    """The original's offset of the folded text's `place`-th character that counts, and what stands there, masked."""
    start = fingerprints.place_of(folded.text, place)
    first, last = folded.span(start, min(len(folded.text), start + GRAM + ASKED))
    return first, mask(text[first:last])


def _file_finding(entry: Declared, trail: Trail) -> Finding:
    facts = _facts(entry, "file")
    return Finding(signature=DECLARED.name, level=entry.level, confidence=_FILE, trail=trail, zone=Zone.RAW, facts=facts)


def _facts(entry: Declared, match: str) -> dict[str, str]:
    return {"entry": entry.id, "owner": entry.owner, "match": match}


def _seconds(expires: str) -> float:
    return datetime.fromisoformat(expires).timestamp() if expires else float("inf")
