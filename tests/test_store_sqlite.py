"""The embedded store keeps the contract of every store."""

from pathlib import Path

import pytest

from database.stores import Store
from database.stores.sqlite import SqliteStore
from tests.store_contract import OpenStore, StoreContract


class TestSqliteStore(StoreContract):
    """The contract on one SQLite file."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        async def open_one() -> Store:
            store = SqliteStore(tmp_path / "index.sqlite")
            await store.open()
            return store

        return open_one
