"""An answer as far as it is written: its text, and its sentences held against their passages."""

from collections.abc import Callable
from dataclasses import replace

from app.checks import Checker
from app.events import Token


class Written:
    """Fed with the tokens of one answer. `make_checker` is called when its first word comes, and may give none:
    only then is it known which model answers from which passages."""

    __slots__ = ("_checker", "_make_checker", "_pieces")

    def __init__(self, make_checker: Callable[[], Checker | None]) -> None:
        self._make_checker = make_checker
        self._checker: Checker | None = None
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        """All of it so far."""
        return "".join(self._pieces)

    def add(self, token: Token) -> Token:
        """The same token with the verdicts on the sentences that it completes."""
        if not token.text:
            return token
        if not self._pieces:
            self._checker = self._make_checker()
        self._pieces.append(token.text)
        if self._checker and (checks := self._checker.feed(token.text)):
            return replace(token, checks=tuple(checks))
        return token

    def finish(self, model: str) -> Token | None:
        """What carries the verdicts that were still open at the end, as a token of `model`; None without any."""
        checks = self._checker.finish() if self._checker else []
        return Token("", checks=tuple(checks), model=model) if checks else None
