"""A loopback stand-in for mongod with its search process mongot, as MongoDB Atlas Local runs them.

    async with FakeMongod() as server:
        client = AsyncIOMotorClient(server.uri)

Drivers connect to it unmodified: it is a real TCP server that speaks OP_MSG with BSON. It answers
the commands that Acervo and its libraries send and refuses every other with CommandNotFound, as
mongod does; where mongod or mongot would fail silently, it fails silently too.
"""

from tests.fakes.mongod.faults import Fault
from tests.fakes.mongod.server import FakeMongod

__all__ = ["FakeMongod", "Fault"]
