"""The MongoDB store: the contract, on the loopback server and where one is named on a real one."""

import os
from collections.abc import AsyncIterator

import pytest

from database.settings import IndexSettings
from database.stores import Store, make_store
from tests.fakes.mongod import FakeMongod
from tests.store_contract import OpenStore, StoreContract

REAL_URI = os.environ.get("ACERVO_TEST_MONGODB_URI", "")


def settings_for(server: FakeMongod, **given: object) -> IndexSettings:
    return IndexSettings.load(mongodb_uri=server.uri, **given)


async def opener(settings: IndexSettings) -> AsyncIterator[OpenStore]:
    opened: list[Store] = []

    async def open_store() -> Store:
        opened.append(make_store(settings))
        await opened[-1].open()
        return opened[-1]

    yield open_store
    for store in opened:
        await store.aclose()


class TestMongoStore(StoreContract):
    @pytest.fixture
    async def open_store(self) -> AsyncIterator[OpenStore]:
        async with FakeMongod(lag_s=0.05) as server:
            async for open_store in opener(settings_for(server)):
                yield open_store
