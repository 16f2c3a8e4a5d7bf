"""Which models a question is put to: the one that was chosen, and those in its place should it fail."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from app.errors import BadRequest, ModelError
from app.events import PassedOver
from app.llms import LLM

Find = Callable[[str], Awaitable[LLM]]


class Rest:
    """The other models, in order. Each is looked for only when the ones before it have failed."""

    def __init__(self, names: Sequence[str] = (), find: Find | None = None) -> None:
        self._names, self._find = list(names), find
        self.passed: list[PassedOver] = []
        """Those that gave no answer, or may not be asked, so far."""

    def pass_over(self, model: str, error: Exception) -> None:
        """Note why this one gave no answer."""
        self.passed.append(PassedOver(model, str(error)))

    @property
    def more(self) -> bool:
        """Whether there are others to look for."""
        return bool(self._names)

    async def next(self) -> LLM | None:
        """The next one that may be asked."""
        while self._names and self._find:
            name = self._names.pop(0)
            try:
                return await self._find(name)
            except (BadRequest, ModelError) as error:
                self.pass_over(name, error)
        return None


@dataclass(frozen=True)
class Plan:
    """The models of one question, and the rules that they are given, by the language of the answer. A model that
    reads no prompt needs none."""

    first: LLM
    rest: Rest = field(default_factory=Rest)
    system: Callable[[str], str] = lambda language: ""
