"""Failures as mongod words them."""

from typing import Any

CODE_NAMES = {
    2: "BadValue",
    6: "HostUnreachable",
    8: "UnknownError",
    9: "FailedToParse",
    13: "Unauthorized",
    18: "AuthenticationFailed",
    26: "NamespaceNotFound",
    27: "IndexNotFound",
    43: "CursorNotFound",
    48: "NamespaceExists",
    59: "CommandNotFound",
    68: "IndexAlreadyExists",
    91: "ShutdownInProgress",
    125: "CommandFailed",
    197: "InvalidIndexSpecificationOption",
    238: "NotImplemented",
    10334: "BSONObjectTooLarge",
    10107: "NotWritablePrimary",
    11000: "DuplicateKey",
    11600: "InterruptedAtShutdown",
    31082: "SearchNotEnabled",
}
RETRYABLE_WRITE_CODES = {6, 91, 10107, 11600}


class CommandError(Exception):
    """A command that fails as a whole."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def reply(self, command: dict[str, Any]) -> dict[str, Any]:
        """The failing reply; retryable writes get the label that lets a driver try again."""
        answer = {"ok": 0.0, "errmsg": self.message, "code": self.code}
        answer["codeName"] = CODE_NAMES.get(self.code, f"Location{self.code}")
        if "txnNumber" in command and self.code in RETRYABLE_WRITE_CODES:
            answer["errorLabels"] = ["RetryableWriteError"]
        return answer


def mongot_error(text: str) -> CommandError:
    """How mongod passes on what mongot says: always code 8, only the text differs."""
    return CommandError(8, f"PlanExecutor error during aggregation :: caused by :: {text}")
