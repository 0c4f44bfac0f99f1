"""What the tables have in common: ids that are given once, and lists read page by page."""

from collections.abc import Callable, Iterator

from sqlalchemy import ColumnElement, RowMapping, Table, select
from sqlalchemy.exc import IntegrityError

from dlp.errors import StoreError
from dlp.store.database import Database

PAGE = 200
"""Rows read at a time: a list never holds the database, however slowly it is consumed."""


def rows_of(database: Database, table: Table, what: str, *conditions: ColumnElement[bool]) -> Iterator[RowMapping]:
    """The rows that meet all `conditions`, in the order they came. Raises StoreError: `what` was not done."""
    last = 0
    while True:
        query = select(table).where(table.c.seq > last, *conditions).order_by(table.c.seq).limit(PAGE)
        with database.read(what) as connection:
            page = connection.execute(query).mappings().all()
        if not page:
            return
        yield from page
        last = page[-1]["seq"]


def with_new_id(insert_as: Callable[[str], None], propose: Callable[[], str]) -> str:
    """`insert_as` under an id that no other has; chance may name one twice in a millisecond, hardly twice in a row."""
    for _attempt in range(4):
        proposed = propose()
        try:
            insert_as(proposed)
        except StoreError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
        else:
            return proposed
    raise StoreError("no unused id was found; the source of random numbers is broken: check the machine")
