"""Custody of originals: sealed objects in a folder, their rows in the database.

A row's state is its journal: "intent" before the object is written, "held" once it is durable and
has been read back, "releasing" while it goes back, "released", "purged". A crash leaves an intent,
which `recover` undoes (nobody was told the id, so the original is still where it was), or a
release, which it puts back to held.

Each original has a key of its own. That key and the attributes are sealed into the row's envelope
under the wrapping key; purging forgets the envelope, and what is left of the object is noise.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import RowMapping, delete, func, insert, or_, select, update

from dlp.blob import Blob
from dlp.errors import StoreError
from dlp.model import Channel, Envelope, FileOrigin, Item, ReleaseClaim, Verdict
from dlp.ports import Held
from dlp.store.ballast import Ballast
from dlp.store.codec import canonical, dump_attributes, dump_origin, parse, parse_origin
from dlp.store.database import Database
from dlp.store.files import DiskFull
from dlp.store.ids import HELD, Clock, Random, new_id
from dlp.store.keys import KEY_BYTES, Keys
from dlp.store.objects import Objects
from dlp.store.process import alive, this_process
from dlp.store.rows import rows_of, with_new_id
from dlp.store.schema import incidents, quarantine
from dlp.store.sealed import CHUNK, Read, new_key, seal, unseal, unwrap, wrap

log = structlog.get_logger()

INTENT = "intent"
KEPT = ("held", "releasing")
WITH_CONTENT = ("held", "releasing", "released")
LISTED = (*WITH_CONTENT, "purged")
"""An intent is nobody's business yet."""

Sentences = list[str]

_LET_GO = or_(quarantine.c.state == "releasing", quarantine.c.released.is_not(None))


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryReport:
    """What `recover` did: stores undone, releases put back to held, remains erased; `problems` are sentences for a person."""

    undone: int = 0
    put_back: int = 0
    erased: int = 0
    problems: tuple[str, ...] = ()


def covers(released: Envelope, again: Envelope) -> bool:
    """Whether a message with the envelope `again` may be one released under `released`: its sender, some of its recipients.
    Case is ignored: servers on the way fold it."""
    allowed = {one.casefold() for one in released.recipients}
    return again.sender.casefold() == released.sender.casefold() and allowed.issuperset(
        one.casefold() for one in again.recipients
    )


class SealedQuarantine:
    """`ports.Quarantine` on a Database, a folder and the Keys."""

    def __init__(
        self,
        database: Database,
        objects: Objects,
        keys: Keys,
        *,
        clock: Clock,
        random: Random,
        ballast: Ballast,
        chunk: int = CHUNK,
    ) -> None:
        self._database = database
        self._objects = objects
        self._keys = keys
        self._clock = clock
        self._random = random
        self._ballast = ballast
        self._chunk = chunk

    def store(self, item: Item, incident: str, verdict: Verdict, attributes: Mapping[str, Any]) -> str:
        """See `ports.Quarantine.store`. The same content for the same incident is kept once, under one id.

        So is a file that a crash, or a removal that failed, left in its place with its copy in custody already: the
        copy now belongs to this incident.
        """
        if kept := self._kept(incident, item.blob.sha256) or self._left_behind(item, incident, verdict):
            return kept
        key = new_key()
        held = self._intend(item, incident, verdict, key + dump_attributes(attributes))
        try:
            pieces = seal(_source(item.blob), key, held, size=self._chunk)
            self._objects.write(held, pieces, check=lambda read: _compare(read, key, held, item.blob.sha256))
            return self._keep(held, incident, item.blob.sha256)
        except StoreError:
            self._abandon(held)
            raise

    def get(self, held: str) -> Held | None:
        """The original's record, or None where there is none of this id."""
        row = self._row(held)
        return None if row is None or row["state"] == INTENT else self._held(row)

    def list(self, *, state: str | None = None) -> Iterator[Held]:
        """See `ports.Quarantine.list`; read page by page."""
        states = LISTED if state is None else tuple({state} & set(LISTED))
        yield from (self._held(row) for row in self._rows(states))

    def released(self, item: Item) -> str | None:
        """See `ports.Quarantine.released`; that it was purged afterwards changes nothing."""
        if isinstance(item.origin, Envelope):
            return self._released_message(item.origin, item.claim) if item.claim is not None else None
        query = select(quarantine.c.id, quarantine.c.origin).where(quarantine.c.sha256 == item.blob.sha256, _LET_GO)
        with self._database.read("what was released was not read") as connection:
            rows = connection.execute(query.order_by(quarantine.c.seq.desc())).all()
        for held, text in rows:
            origin = parse_origin(text)
            if isinstance(origin, FileOrigin) and origin.path == item.origin.path:
                return str(held)
        return None

    def _released_message(self, envelope: Envelope, claim: ReleaseClaim) -> str | None:
        """The claim's id if its seal is ours for this body, and the sender and every recipient are those of the original."""
        if not hmac.compare_digest(self.seal(claim.held, claim.body).encode(), claim.seal.encode("utf-8", "replace")):
            return None
        with self._database.read("what was released was not read") as connection:
            text = connection.scalar(select(quarantine.c.origin).where(quarantine.c.id == claim.held, _LET_GO))
        origin = None if text is None else parse_origin(text)
        return claim.held if isinstance(origin, Envelope) and covers(origin, envelope) else None

    def seal(self, held: str, body: str) -> str:
        """See `ports.Quarantine.seal`: HMAC-SHA-256 (RFC 2104), in hex."""
        return hmac.new(self._keys.release, f"{held} {body}".encode("utf-8", "replace"), "sha256").hexdigest()

    def content(self, held: str) -> Iterator[bytes]:
        """See `ports.Quarantine.content`."""
        row = self._row(held)
        if row is None:
            raise _unknown(held)
        key, _attributes = self._opened(row)
        digest, waiting = hashlib.sha256(), b""
        with self._objects.reading(held) as read:
            for chunk in _named(held, unseal(read, key, held)):
                digest.update(chunk)
                if waiting:
                    yield waiting
                waiting = chunk
        if digest.hexdigest() != row["sha256"]:
            raise StoreError(f"{held} is not the original: its SHA-256 is another; restore it from a backup")
        if waiting:
            yield waiting

    @contextmanager
    def releasing(self, held: str) -> Iterator[None]:
        """See `ports.Quarantine.releasing`. Of two processes one wins; a dead one's hold ends at the next `recover`."""
        if not self._move(held, ("held",), state="releasing", holder=this_process()):
            row = self._row(held)
            raise _unknown(held) if row is None else StoreError(f"{held} is {row['state']}, not held; nothing was released")
        try:
            yield
        except BaseException:
            self._put_back(held)
            raise
        self._move(held, ("releasing",), state="released", holder="", released=self._clock())

    def purge(self, held: str) -> None:
        """See `ports.Quarantine.purge`. Repeating it does no harm; on a full disk the ballast makes the room it needs."""
        try:
            self._purge(held)
        except DiskFull:
            if not self._ballast.let_go():
                raise
            self._purge(held)
        self._ballast.take_on()

    def _purge(self, held: str) -> None:
        """The key is destroyed first, then the object: what a crash leaves between the two is noise, and is swept."""
        if not self._move(held, ("held", "released", "purged"), state="purged", holder="", envelope=None):
            row = self._row(held)
            raise _unknown(held) if row is None else StoreError(f"{held} is {row['state']} just now; it was not purged")
        self._objects.remove(held)
        self._database.truncate_log(f"the key of {held} may still be in the database's log")

    def verify(self, held: str | None = None) -> Iterator[tuple[str, str | None]]:
        """Decrypt every original (or that one) and compare its SHA-256: its id, and what is wrong or None."""
        if held is not None:
            yield held, self._problem(held)
            return
        for row in self._rows(WITH_CONTENT):
            yield row["id"], self._problem(row["id"])

    def totals(self) -> tuple[int, int]:
        """How many originals are held, and their bytes together."""
        query = select(func.count(), func.coalesce(func.sum(quarantine.c.size), 0)).where(quarantine.c.state.in_(KEPT))
        with self._database.read("the quarantine was not counted") as connection:
            count, size = connection.execute(query).one()
        return int(count), int(size)

    def recover(self) -> RecoveryReport:
        """Finish or undo what a dead process left; to be called once at start.

        Raises nothing that a full or failing disk does: what could not be done is among the
        problems, and the next start does it.
        """
        problems: Sentences = []
        try:
            undone = self._undo_intents(problems)
            put_back = self._put_back_dead()
            erased = self._sweep(problems)
        except StoreError as error:
            return RecoveryReport(problems=(*problems, str(error)))
        return RecoveryReport(undone=undone, put_back=put_back, erased=erased, problems=tuple(problems))

    def _kept(self, incident: str, sha256: str) -> str | None:
        with self._database.read("the quarantine was not read") as connection:
            kept: str | None = connection.scalar(_same(incident, sha256))
        return kept

    def _left_behind(self, item: Item, incident: str, verdict: Verdict) -> str | None:
        """The copy of this very file that an unfinished incident took, if it is whole."""
        if not isinstance(item.origin, FileOrigin):
            return None
        unfinished = select(incidents.c.id).where(incidents.c.state.in_(("interrupted", "failed")))
        query = select(quarantine.c.id).where(
            quarantine.c.sha256 == item.blob.sha256,
            quarantine.c.origin == dump_origin(item.origin),
            quarantine.c.state == "held",
            quarantine.c.incident.in_(unfinished),
        )
        with self._database.read("the quarantine was not read") as connection:
            found = connection.scalars(query.order_by(quarantine.c.seq)).all()
        for held in found:
            values = {"incident": incident, "level": verdict.level, "approve_by": canonical(list(verdict.approve_by))}
            if self._problem(held) is None and self._move(held, ("held",), state="held", **values):
                return str(held)
        return None

    def _intend(self, item: Item, incident: str, verdict: Verdict, secret: bytes) -> str:
        values: dict[str, Any] = {
            "incident": incident,
            "channel": item.channel.value,
            "stored": self._clock(),
            "size": item.blob.size,
            "sha256": item.blob.sha256,
            "level": verdict.level,
            "origin": dump_origin(item.origin),
            "approve_by": canonical(list(verdict.approve_by)),
            "state": INTENT,
            "holder": this_process(),
            "key_id": self._keys.id,
        }

        def insert_as(held: str) -> None:
            envelope = wrap(self._keys.wrapping, secret, held)
            with self._database.write("the original was not stored") as connection:
                connection.execute(insert(quarantine).values(id=held, envelope=envelope, **values))

        return with_new_id(insert_as, lambda: new_id(HELD, values["stored"], self._random))

    def _keep(self, held: str, incident: str, sha256: str) -> str:
        """From intent to held; where another thread was faster with the same content, its id, and ours is undone."""
        with self._database.write("the original was not stored") as connection:
            first: str | None = connection.scalar(_same(incident, sha256))
            if first is None:
                intent = update(quarantine).where(quarantine.c.id == held, quarantine.c.state == INTENT)
                if connection.execute(intent.values(state="held", holder="")).rowcount != 1:
                    raise StoreError(f"the record of {held} vanished while it was stored; is another dlp at work on this state?")
                return held
        self._undo(held)
        return first

    def _abandon(self, held: str) -> None:
        """Undo a store that failed. It may fail in its turn (a full disk): then the row stays an intent for `recover`."""
        try:
            row = self._row(held)
            # A commit that failed may have happened all the same; then the original is held.
            if row is not None and row["state"] == INTENT:
                self._undo(held)
        except StoreError as error:
            log.warning("a store that failed is left for the next start to undo", held=held, error=str(error))

    def _undo(self, held: str) -> None:
        """The object first: a row without an object is undone again, an object without a row would be a stranger."""
        self._objects.remove(held)
        with self._database.write(f"{held} was not undone") as connection:
            connection.execute(delete(quarantine).where(quarantine.c.id == held, quarantine.c.state == INTENT))

    def _move(self, held: str, states: tuple[str, ...], **values: Any) -> bool:
        """Change the row if its state is one of `states`, in one step; whether it was."""
        change = update(quarantine).where(quarantine.c.id == held, quarantine.c.state.in_(states)).values(**values)
        with self._database.write(f"{held} was not marked as {values['state']}") as connection:
            return connection.execute(change).rowcount == 1

    def _put_back(self, held: str) -> None:
        """Held again after a release that failed; where even that fails, `recover` does it."""
        try:
            self._move(held, ("releasing",), state="held", holder="")
        except StoreError as error:
            log.error("an original could not be put back to held; the next start does it", held=held, error=str(error))

    def _undo_intents(self, problems: Sentences) -> int:
        undone = 0
        for row in self._rows((INTENT,)):
            if alive(row["holder"]):
                continue
            try:
                self._undo(row["id"])
                undone += 1
            except StoreError as error:
                problems.append(str(error))
        return undone

    def _put_back_dead(self) -> int:
        dead = [row["id"] for row in self._rows(("releasing",)) if not alive(row["holder"])]
        return sum(self._move(held, ("releasing",), state="held", holder="") for held in dead)

    def _sweep(self, problems: Sentences) -> int:
        """Erase what no row asks for; tell of rows whose object is gone and of objects nobody knows."""
        # The files before the rows: a row precedes its file, so that no file of a living process looks like a stranger.
        found = tuple(self._objects.found())
        states = {row["id"]: row["state"] for row in self._rows(None)}
        erased = 0
        for held, draft, path in found:
            state = states.get(held)
            if state == "purged" or (draft and state != INTENT):
                self._objects.erase(path)
                erased += 1
            elif state is None:
                problems.append(f"{path}: no record names it; restore the database, or remove it")
        for held, state in states.items():
            if state in WITH_CONTENT and not self._objects.exists(held):
                problems.append(f"{held}: its object {self._objects.path(held)} is missing; restore it from a backup")
        return erased

    def _row(self, held: str) -> RowMapping | None:
        with self._database.read("the quarantine was not read") as connection:
            return connection.execute(select(quarantine).where(quarantine.c.id == held)).mappings().first()

    def _rows(self, states: Sequence[str] | None) -> Iterator[RowMapping]:
        wanted = () if states is None else (quarantine.c.state.in_(states),)
        return rows_of(self._database, quarantine, "the quarantine was not listed", *wanted)

    def _held(self, row: RowMapping) -> Held:
        return Held(
            id=row["id"],
            incident=row["incident"],
            channel=Channel(row["channel"]),
            stored=row["stored"],
            size=row["size"],
            sha256=row["sha256"],
            level=row["level"],
            origin=parse_origin(row["origin"]),
            state=row["state"],
            approve_by=parse(row["approve_by"], tuple[str, ...]),
            attributes=self._attributes(row),
        )

    def _attributes(self, row: RowMapping) -> Mapping[str, Any]:
        """What was kept beside the content; nothing once purged, and nothing where the envelope does not open: a list
        must not end at one bad row, and `content` refuses it."""
        if row["envelope"] is None:
            return {}
        try:
            return self._opened(row)[1]
        except StoreError as error:
            log.error("the attributes of an original cannot be read", held=row["id"], error=str(error))
            return {}

    def _opened(self, row: RowMapping) -> tuple[bytes, Mapping[str, Any]]:
        """The content's key and the attributes from a row's envelope."""
        held, envelope = row["id"], row["envelope"]
        if envelope is None:
            raise StoreError(f"{held} was purged; its content is gone")
        if row["key_id"] != self._keys.id:
            raise StoreError(f"{held} is sealed by key {row['key_id']}, not by {self._keys.id}; restore its key file")
        try:
            secret = unwrap(self._keys.wrapping, envelope, held)
        except StoreError as error:
            raise StoreError(f"{held}: {error}") from error
        return secret[:KEY_BYTES], json.loads(secret[KEY_BYTES:])

    def _problem(self, held: str) -> str | None:
        try:
            for _chunk in self.content(held):
                pass
        except StoreError as error:
            return str(error)
        return None


def _same(incident: str, sha256: str) -> Any:
    """Selects the id under which this content is kept for this incident."""
    same = (quarantine.c.incident == incident, quarantine.c.sha256 == sha256, quarantine.c.state.in_(KEPT))
    return select(quarantine.c.id).where(*same).order_by(quarantine.c.seq).limit(1)


def _source(blob: Blob) -> Iterator[bytes]:
    try:
        yield from blob.chunks()
    except OSError as error:
        raise StoreError(f"the original was not read: {error.strerror}; it is left where it is") from error


def _compare(read: Read, key: bytes, held: str, sha256: str) -> None:
    digest = hashlib.sha256()
    for chunk in unseal(read, key, held):
        digest.update(chunk)
    if digest.hexdigest() != sha256:
        raise StoreError("the copy is not the original: it changed meanwhile, or the disk fails; it is left where it is")


def _named(held: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """`chunks`, whose errors name `held`."""
    try:
        yield from chunks
    except StoreError as error:
        raise StoreError(f"{held}: {error}; restore it from a backup") from error


def _unknown(held: str) -> StoreError:
    return StoreError(f"there is nothing {held} in quarantine; `dlp quarantine list` shows what there is")
