"""What passing one token on takes of a processor."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack

import aiohttp

from tests.bench.bursts import BurstOllama
from tests.bench.measures import Measure
from tests.bench.runs import cpu_s
from tests.bench.servers import ACERVO, CALLS, Target
from tests.bench.streaming import read_answer

ROUNDS, TRIES = 6, 3
"""Of the tries the least counts, of every program, since other work on the machine only adds."""
SHORT, LONG = 10, 4010
"""Tokens of answers whose difference is relaying alone. The system counts processor time in steps of 10 ms: 0.4 µs a
token."""
TEXTS = {
    "words": "palavra ",
    "sentences": "O farol fica na costa norte da ilha e guia os barcos [1]. Tem três andares e uma lâmpada nova [2]. ",
}
ARRIVALS = {"in bursts": 32, "one by one": 1}
"""How many tokens come at once. In bursts the server is what limits; one by one, nearly each token is a turn of its
loop and three system calls."""

Start = Callable[[ExitStack, str], Target]


async def measure_relaying(starts: Mapping[str, Start], fake: BurstOllama) -> list[Measure]:
    """Acervo beside the others of `starts`, all running, in turns."""
    measures: list[Measure] = []
    with ExitStack() as stack, fake.as_new():
        targets = {name: start(stack, fake.url) for name, start in starts.items()}
        async with aiohttp.ClientSession() as session:
            for target in targets.values():
                await read_answer(session, target)
            for arrival, burst in ARRIVALS.items():
                for name, text in TEXTS.items():
                    fake.burst = burst
                    measures += _compare(f"{arrival}, {name}", await _measure(session, targets, fake, text))
                    fake.burst = 1
    return measures


async def _measure(
    session: aiohttp.ClientSession, targets: Mapping[str, Target], fake: BurstOllama, text: str
) -> dict[str, float]:
    """Microseconds of a token by program. What writes many tokens at once is no match for what writes each."""
    compared = {name: target for name, target in targets.items() if fake.burst == 1 or name != CALLS}
    words, least_s = text.split(), dict[tuple[str, int], float]()
    for _ in range(TRIES):
        for count in (SHORT, LONG):
            fake.switches.answer = " ".join(words[n % len(words)] for n in range(count))
            for name, target in compared.items():
                spent_s = await _measure_answers(session, target)
                least_s[name, count] = min(spent_s, least_s.get((name, count), spent_s))
    return {name: (least_s[name, LONG] - least_s[name, SHORT]) / ((LONG - SHORT) * ROUNDS) * 1e6 for name in compared}


async def _measure_answers(session: aiohttp.ClientSession, target: Target) -> float:
    """Seconds of a server's processor for ROUNDS answers."""
    before = cpu_s(target.process)
    for _ in range(ROUNDS):
        await read_answer(session, target)
    return cpu_s(target.process) - before


def _compare(what: str, token_us: Mapping[str, float]) -> list[Measure]:
    own_us = token_us[ACERVO]
    return [
        Measure(f"CPU of a relayed token, {what}", own_us, "µs", name, us, key=f"token {name}:{what}")
        for name, us in token_us.items()
        if name != ACERVO
    ]
