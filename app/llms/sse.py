"""Server-sent events, from bytes to the data of each event. Pure.

https://html.spec.whatwg.org/multipage/server-sent-events.html; only `data` matters here.
"""

MAX_EVENT = 1 << 20
"""Bytes. A token's event has a few hundred."""
_FIELDS = (b"data", b"event", b"id", b"retry")


class EventSplitter:
    """Cuts a stream of bytes into events, wherever the network cut it before."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """The data of the events that `data` completes; comments, which only keep a connection open, give nothing.

        Raises `ValueError` for what is no stream of events.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_EVENT or sum(map(len, self._data)) > MAX_EVENT:
            raise ValueError("an event has no end")
        return [event for line in lines if (event := self._take(line.rstrip(b"\r"))) is not None]

    def finish(self) -> list[bytes]:
        """The data of an event that the end of the stream completes, as servers leave their last one."""
        return [*self.feed(b"\n"), *self.feed(b"\n")]

    def _take(self, line: bytes) -> bytes | None:
        if not line:
            data, self._data = self._data, []
            return b"\n".join(data) or None
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        elif name and name not in _FIELDS:
            raise ValueError("a line is no field of an event")
        return None
