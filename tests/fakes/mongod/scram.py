"""The server's half of SCRAM-SHA-256 (RFC 7677), for passwords that need no SASLprep."""

import base64
import hashlib
import hmac
import os
from typing import Any

from tests.fakes.mongod.errors import CommandError

ITERATIONS = 4096
SALT = b"a salt for tests"


class Scram:
    """One conversation of one connection. `user` is set once the client has proved its password."""

    def __init__(self, users: dict[str, str]) -> None:
        self._users = users
        self._claimed = ""
        self._messages: list[str] = []
        self.user = ""

    def start(self, command: dict[str, Any]) -> dict[str, Any]:
        """Answer the client's first message."""
        if command.get("mechanism") != "SCRAM-SHA-256":
            raise CommandError(2, f"Received authentication for mechanism {command.get('mechanism')}")
        bare = bytes(command["payload"]).decode().split(",", 2)[2]
        fields = dict(part.split("=", 1) for part in bare.split(","))
        self._claimed = fields["n"]
        nonce = fields["r"] + base64.b64encode(os.urandom(12)).decode()
        first = f"r={nonce},s={base64.b64encode(SALT).decode()},i={ITERATIONS}"
        self._messages = [bare, first]
        return {"conversationId": 1, "done": False, "payload": first.encode(), "ok": 1.0}

    def proceed(self, command: dict[str, Any]) -> dict[str, Any]:
        """Check the client's proof and answer with the server's."""
        final, _, proof = bytes(command["payload"]).decode().rpartition(",p=")
        signed = ",".join([*self._messages, final]).encode()
        salted = hashlib.pbkdf2_hmac("sha256", self._users.get(self._claimed, "").encode(), SALT, ITERATIONS)
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        expected = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        if self._claimed not in self._users or base64.b64decode(proof) != expected:
            raise CommandError(18, "Authentication failed.")
        self.user = self._claimed
        verifier = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256")
        payload = b"v=" + base64.b64encode(verifier)
        return {"conversationId": 1, "done": True, "payload": payload, "ok": 1.0}
