"""The fixtures of the store."""

from tests.store.fixtures import make_item, state, stores

__all__ = ["make_item", "state", "stores"]
