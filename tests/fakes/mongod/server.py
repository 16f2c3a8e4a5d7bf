"""The TCP server: connections, handshakes, logins and faults, in a thread with its own event loop."""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Coroutine
from typing import Self

from bson import Int64, ObjectId

from tests.fakes.mongod.commands import Commands
from tests.fakes.mongod.errors import CommandError
from tests.fakes.mongod.faults import Fault, Faults
from tests.fakes.mongod.mongot import MongotOptions
from tests.fakes.mongod.scram import Scram
from tests.fakes.mongod.wire import EXHAUST_ALLOWED, MORE_TO_COME, Doc, Request, WireError, pack_reply, read_request
from tests.fakes.ports import hold_port

STEPPED_DOWN = {91, 189, 10107, 11600, 11602, 13435, 13436}
HELLO = ("hello", "ismaster", "isMaster")


TURNS_TO_BEGIN = 10
"""So often at most the loop goes round between accepting a connection and `_connected`, amply counted."""


class FakeMongod:
    """`async with FakeMongod(...) as server: server.uri`. Options of mongot go to `server.mongot`.

    With `users` (name → password) commands need a login by SCRAM-SHA-256. `advertised` is the
    host that the server calls itself by, as a container does whose name the client cannot resolve.
    """

    def __init__(self, *, users: dict[str, str] | None = None, advertised: str = "", **options: object) -> None:
        self.mongot = MongotOptions(**options)  # type: ignore[arg-type]
        self.commands = Commands(self.mongot)
        self.faults = Faults()
        self.seen: list[Doc] = []
        """The commands that came, in order, those befallen by faults too; handshakes left out."""
        self.port = 0
        self._held = contextlib.ExitStack()
        self._users = users or {}
        self._advertised = advertised
        self._reply_ids = itertools.count(1)
        self._process = ObjectId()
        self._elections = 0
        self.elected = asyncio.Event()
        """Set, and replaced by a new one, when waiting hellos are to be answered at once."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def uri(self) -> str:
        """A connection string without a login."""
        return f"mongodb://127.0.0.1:{self.port}/"

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    def start(self) -> None:
        """Listen on a free port of the loopback, which stays this server's while it refuses."""
        self.port = self._held.enter_context(hold_port())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-mongod", daemon=True)
        self._thread.start()
        self.accept()

    def stop(self) -> None:
        """Close everything and end the thread."""
        assert self._loop and self._thread
        self.refuse()
        self._held.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def names(self) -> list[str]:
        """The names of the commands that came."""
        return [next(iter(body)) for body in list(self.seen)]

    def fail(self, command: str = "", **fault: object) -> None:
        """Let a `Fault` befall coming commands."""
        self.faults.add(Fault(command, **fault))  # type: ignore[arg-type]

    def accept(self) -> None:
        """Listen (again, at the same port), unless it does."""
        if self._server is None:
            self._call(self._listen())

    def refuse(self) -> None:
        """Stop listening and break off every connection. The data stays."""
        self._call(self._close())

    def _call(self, work: Coroutine[object, object, None]) -> None:
        assert self._loop
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)

    async def _close(self) -> None:
        server, self._server = self._server, None
        for sock in server.sockets if server else ():
            asyncio.get_running_loop().remove_reader(sock.fileno())
        for _ in range(TURNS_TO_BEGIN):
            await asyncio.sleep(0)
        if server:
            server.close()  # not before: a connection that is being accepted would never be closed (Python 3.11)
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        # A cancelled task would make asyncio's own callback on connection tasks complain.
        ends = (asyncio.IncompleteReadError, ConnectionError, WireError, asyncio.CancelledError)
        with contextlib.suppress(*ends):
            await _Connection(self, reader, writer).serve()
        writer.transport.abort()
        with contextlib.suppress(*ends):
            await writer.wait_closed()
        self._connections.discard(task)

    def hello(self) -> Doc:
        """The reply of a primary that is the only member of its replica set."""
        me = self._advertised or f"127.0.0.1:{self.port}"
        return {
            "helloOk": True,
            "ismaster": True,
            "isWritablePrimary": True,
            "topologyVersion": self._topology_version(),
            "hosts": [me],
            "setName": "rs-localdev",
            "setVersion": 1,
            "secondary": False,
            "primary": me,
            "me": me,
            "maxBsonObjectSize": 16_777_216,
            "maxMessageSizeBytes": 48_000_000,
            "maxWriteBatchSize": 100_000,
            "logicalSessionTimeoutMinutes": 30,
            "minWireVersion": 0,
            "maxWireVersion": 25,
            "readOnly": False,
            "ok": 1.0,
        }

    def _topology_version(self) -> Doc:
        return {"processId": self._process, "counter": Int64(6 + self._elections)}

    def step_down(self) -> Doc:
        """No longer primary: what an error adds, so that drivers can tell old news from new."""
        self._elections += 1
        return {"topologyVersion": self._topology_version()}

    def step_up(self) -> None:
        """Primary again: answer the waiting hellos."""
        self._elections += 1
        elected, self.elected = self.elected, asyncio.Event()
        elected.set()

    def next_id(self) -> int:
        """A request id for a reply."""
        return next(self._reply_ids)

    def new_login(self) -> Scram | None:
        """A login to go through, or None where none is needed."""
        return Scram(self._users) if self._users else None


class _Connection:
    """One client connection."""

    def __init__(self, server: FakeMongod, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._login = server.new_login()

    async def serve(self) -> None:
        """Answer until the client goes or a fault closes the connection."""
        while True:
            request = await read_request(self._reader)
            if request.name in HELLO and "maxAwaitTimeMS" in request.body:
                await self._stream_hello(request)
            elif not await self._answer(request):
                return

    async def _send(self, reply: Doc, response_to: int, flags: int = 0) -> int:
        reply_id = self._server.next_id()
        self._writer.write(pack_reply(reply, reply_id, response_to, flags))
        await self._writer.drain()
        return reply_id

    async def _stream_hello(self, request: Request) -> None:
        """An awaitable hello: one answer each `maxAwaitTimeMS` for as long as the client listens."""
        response_to = request.id
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.elected.wait(), request.body["maxAwaitTimeMS"] / 1000)
            more = MORE_TO_COME if request.flags & EXHAUST_ALLOWED else 0
            response_to = await self._send(self._server.hello(), response_to, more)
            if not more:
                return

    async def _answer(self, request: Request) -> bool:
        if request.name not in HELLO and not request.name.startswith("sasl"):
            self._server.seen.append(request.body)
        fault = self._server.faults.take(request.name) or Fault()
        await asyncio.sleep(fault.delay_s)
        if fault.hang_up == "before":
            return False
        refused = CommandError(fault.code, fault.message).reply(request.body)
        if fault.code in STEPPED_DOWN:
            refused |= self._server.step_down()
        reply = refused if fault.code else self._run(request)
        if fault.hang_up:
            return False
        await self._send(reply, request.id)
        if fault.code in STEPPED_DOWN:
            self._server.step_up()
        return True

    def _run(self, request: Request) -> Doc:
        name, body = request.name, request.body
        if name in HELLO:
            return self._server.hello() | self._speculate(body)
        try:
            if self._login and name == "saslStart":
                return self._login.start(body)
            if self._login and name == "saslContinue":
                return self._login.proceed(body)
        except CommandError as error:
            return error.reply(body)
        if self._login and not self._login.user and name != "endSessions":
            return CommandError(13, f"Command {name} requires authentication").reply(body)
        return self._server.commands.run(name, body)

    def _speculate(self, body: Doc) -> Doc:
        extra: Doc = {"saslSupportedMechs": ["SCRAM-SHA-256"]} if "saslSupportedMechs" in body else {}
        if self._login and "speculativeAuthenticate" in body:
            extra["speculativeAuthenticate"] = self._login.start(body["speculativeAuthenticate"])
        return extra
