"""Incidents in the database: opened before acting, closed after."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Update, and_, func, insert, select, update

from dlp.errors import StoreError
from dlp.model import Channel, Finding, Inspection, Item, Unscannable, Verdict
from dlp.ports import Incident
from dlp.store.codec import dump, dump_origin, parse, parse_origin, plain
from dlp.store.database import Database
from dlp.store.ids import INCIDENT, Clock, Random, new_id
from dlp.store.precision import reviewed_findings
from dlp.store.rows import rows_of, with_new_id
from dlp.store.schema import incidents, quarantine

REVIEWS = ("confirmed", "false-positive", "other")
NO_LEVEL = "none"
"""Stands for "no level" where a label is wanted."""


class SqlIncidents:
    """`ports.Incidents` on a Database."""

    def __init__(self, database: Database, *, clock: Clock, random: Random) -> None:
        self._database = database
        self._clock = clock
        self._random = random

    def open(self, item: Item, inspection: Inspection, verdict: Verdict) -> str:
        """See `ports.Incidents.open`; findings of every mode are kept."""
        values: dict[str, Any] = {
            "item": plain(item.id),
            "opened": self._clock(),
            "state": "open",
            "channel": item.channel.value,
            "level": verdict.level,
            "origin": dump_origin(item.origin),
            "verdict": dump(verdict),
            "findings": dump(inspection.findings),
            "unscannable": dump(inspection.unscannable),
            "sha256": item.blob.sha256,
            "size": item.blob.size,
            "enforced": False,
            "error": "",
            "review": "",
            "reviewed_by": "",
        }

        def insert_as(incident: str) -> None:
            with self._database.write("the incident was not opened") as connection:
                connection.execute(insert(incidents).values(id=incident, **values))

        return with_new_id(insert_as, lambda: new_id(INCIDENT, values["opened"], self._random))

    def close(self, incident: str, *, held: str | None, verdict: Verdict | None = None) -> None:
        """See `ports.Incidents.close`."""
        changed = update(incidents).values(state="closed", closed=self._clock(), enforced=True, quarantine=held, error="")
        self._change("closed", incident, changed if verdict is None else changed.values(verdict=dump(verdict)))

    def fail(self, incident: str, error: str, *, held: str | None) -> None:
        """See `ports.Incidents.fail`; it stays unclosed until a person has reviewed it."""
        changed = update(incidents).values(state="failed", enforced=False, error=plain(error), quarantine=held)
        self._change("marked as failed", incident, changed)

    def review(self, incident: str, outcome: str, by: str, *, false: Collection[str] = ()) -> None:
        """See `ports.Incidents.review`; `outcome` is one of REVIEWS."""
        if outcome not in REVIEWS:
            raise StoreError(f"{outcome!r} is no outcome of a review; it is one of {', '.join(REVIEWS)}")
        with self._database.write(f"incident {incident} was not reviewed") as connection:
            findings = connection.scalar(select(incidents.c.findings).where(incidents.c.id == incident))
            if findings is None:
                raise _unknown(incident)
            marked = dump(reviewed_findings(parse(findings, tuple[Finding, ...]), false))
            reviewed = update(incidents).values(review=outcome, reviewed_by=plain(by), findings=marked)
            connection.execute(reviewed.where(incidents.c.id == incident))
            stuck = and_(incidents.c.id == incident, incidents.c.state.in_(("interrupted", "failed")))
            connection.execute(update(incidents).where(stuck).values(state="closed", closed=self._clock()))

    def get(self, incident: str) -> Incident | None:
        """The incident, or None where there is none of this id."""
        with self._database.read("the incident was not read") as connection:
            row = connection.execute(select(incidents).where(incidents.c.id == incident)).mappings().first()
        return None if row is None else _incident(row)

    def list(self, *, state: str | None = None, channel: Channel | None = None) -> Iterator[Incident]:
        """See `ports.Incidents.list`; read page by page, so that it may be as long as it likes."""
        conditions: list[ColumnElement[bool]] = []
        if state is not None:
            conditions.append(incidents.c.state == state)
        if channel is not None:
            conditions.append(incidents.c.channel == channel.value)
        yield from map(_incident, rows_of(self._database, incidents, "the incidents were not listed", *conditions))

    def interrupted(self) -> int:
        """See `ports.Incidents.interrupted`; what was already taken into custody for one is noted with it."""
        held = (
            select(quarantine.c.id)
            .where(quarantine.c.incident == incidents.c.id, quarantine.c.state.in_(("held", "releasing")))
            .limit(1)
            .scalar_subquery()
        )
        was_open = update(incidents).where(incidents.c.state == "open")
        with self._database.write("interrupted incidents were not marked") as connection:
            known = func.coalesce(incidents.c.quarantine, held)
            return connection.execute(was_open.values(state="interrupted", quarantine=known)).rowcount

    def counts_open(self) -> Mapping[str, int]:
        """How many incidents are not closed, by level; NO_LEVEL where there is none."""
        level = func.coalesce(incidents.c.level, NO_LEVEL)
        query = select(level, func.count()).where(incidents.c.state.in_(("open", "interrupted", "failed"))).group_by(level)
        with self._database.read("the open incidents were not counted") as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def _change(self, what: str, incident: str, change: Update) -> None:
        with self._database.write(f"incident {incident} was not {what}") as connection:
            if connection.execute(change.where(incidents.c.id == incident)).rowcount == 0:
                raise _unknown(incident)


def _unknown(incident: str) -> StoreError:
    return StoreError(f"there is no incident {incident}; `dlp incidents list` shows those there are")


def _incident(row: RowMapping) -> Incident:
    return Incident(
        id=row["id"],
        opened=row["opened"],
        channel=Channel(row["channel"]),
        origin=parse_origin(row["origin"]),
        verdict=parse(row["verdict"], Verdict),
        findings=parse(row["findings"], tuple[Finding, ...]),
        unscannable=parse(row["unscannable"], tuple[Unscannable, ...]),
        sha256=row["sha256"],
        size=row["size"],
        state=row["state"],
        closed=row["closed"],
        enforced=row["enforced"],
        quarantine=row["quarantine"],
        error=row["error"],
        review=row["review"],
        reviewed_by=row["reviewed_by"],
    )
