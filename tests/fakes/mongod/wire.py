"""OP_MSG, the one message of today's drivers: read a request, write a reply.

https://github.com/mongodb/specifications/blob/master/source/message/OP_MSG.md
"""

import asyncio
import struct
from dataclasses import dataclass
from typing import Any

import bson

OP_MSG = 2013
CHECKSUM_PRESENT = 1
MORE_TO_COME = 2
EXHAUST_ALLOWED = 1 << 16

Doc = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One command. Document sequences (section kind 1) are merged into `body` as lists."""

    id: int
    flags: int
    body: Doc

    @property
    def name(self) -> str:
        """The command's name: its first key."""
        return next(iter(self.body))


class WireError(Exception):
    """The bytes are not what a driver sends."""


async def read_request(reader: asyncio.StreamReader) -> Request:
    """The next command. Raises `asyncio.IncompleteReadError` at the end of the connection."""
    length, request_id, _, opcode = struct.unpack("<iiii", await reader.readexactly(16))
    payload = await reader.readexactly(length - 16)
    if opcode != OP_MSG:
        raise WireError(f"opcode {opcode} instead of OP_MSG")
    (flags,) = struct.unpack_from("<I", payload)
    end = len(payload) - (4 if flags & CHECKSUM_PRESENT else 0)
    return Request(request_id, flags, _read_sections(payload[4:end]))


def _read_sections(data: bytes) -> Doc:
    body: Doc = {}
    sequences: dict[str, list[Doc]] = {}
    while data:
        kind, (size,) = data[0], struct.unpack_from("<i", data, 1)
        section, data = data[1 : 1 + size], data[1 + size :]
        if kind == 0:
            body = bson.decode(section)
        elif kind == 1:
            name, _, documents = section[4:].partition(b"\0")
            sequences[name.decode()] = bson.decode_all(documents)
        else:
            raise WireError(f"section kind {kind}")
    return body | sequences


def pack_reply(reply: Doc, request_id: int, response_to: int, flags: int = 0) -> bytes:
    """The bytes of one reply."""
    payload = struct.pack("<IB", flags, 0) + bson.encode(reply)
    return struct.pack("<iiii", 16 + len(payload), request_id, response_to, OP_MSG) + payload
