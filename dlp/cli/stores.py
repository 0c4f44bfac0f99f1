"""Opens the daemon's stores for one command."""

from collections.abc import Iterator
from contextlib import contextmanager

from dlp.config import Configuration
from dlp.instance import now
from dlp.store.stores import Stores


@contextmanager
def opened(configuration: Configuration) -> Iterator[Stores]:
    """The stores of `configuration`, closed again at the end. Raises StoreError where they cannot be opened."""
    stores = Stores.open(configuration.state, clock=now)
    try:
        yield stores
    finally:
        stores.close()
