"""How many streams at a steady pace one processor holds, and how late their tokens are."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from database.settings import ROOT
from tests.bench.crowd import Step
from tests.bench.measures import Measure, left_out
from tests.bench.servers import (
    ACERVO,
    DIRECT,
    LOAD_CORE,
    RELAY,
    Target,
    can_pin,
    pinned,
    start_acervo,
    start_model,
    start_relay,
)
from tests.bench.venv import find_venv
from tests.bench.work import Work

RATE, LIMIT_MS = 20, 100
QUICK = (100,)
FULL = (1, 100, 250, 500, 750, 1000, 1250, 1500, 2000)
SHOWN = 100
"""The least streams whose processor time says something."""
BUSY = 0.9
"""What is busier than this with a processor was the limit."""

Start = Callable[[ExitStack, str], Target]


def measure_holding(work: Work) -> list[Measure]:
    """Steps of ever more streams for each program, until tokens are late."""
    steps = FULL if work.full else QUICK
    python = find_venv(work.folder)
    starts: dict[str, Start] = {
        DIRECT: lambda stack, model_url: start_model(stack, "tests.bench.paced", f"--rate={RATE}", pin=True),
        ACERVO: lambda stack, model_url: start_acervo(stack, model_url, work.index, pin=True),
    }
    if python:
        starts[RELAY] = lambda stack, model_url: start_relay(stack, model_url, python, pin=True)
    seen = {name: hold(start, steps) for name, start in starts.items()}
    return [*describe(seen), *([] if python else [left_out(RELAY, "its virtualenv is made by make bench-full")])]


def hold(start: Start, steps: Sequence[int]) -> list[Step]:
    """The steps that one program managed, the last one being perhaps too much."""
    with ExitStack() as stack:
        model = start_model(stack, "tests.bench.paced", f"--rate={RATE}", pin=True)
        target = start(stack, model.url.removesuffix("/api/chat"))
        return list(_read_crowd(target, steps))


def _read_crowd(target: Target, steps: Sequence[int]) -> Iterator[Step]:
    options = ["--steps", ",".join(map(str, steps)), "--limit-ms", str(LIMIT_MS)]
    command = [sys.executable, "-m", "tests.bench.crowd", target.url, target.json, str(target.process.pid), *options]
    done = subprocess.run(pinned(command, LOAD_CORE), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    # One that could not open its streams any more has told of those before.
    for line in done.stdout.splitlines():
        yield Step(**json.loads(line))


def describe(seen: dict[str, list[Step]]) -> list[Measure]:
    """Delays at each size beside the model itself and the relay, processor time, and how many were held."""
    others = [name for name in (DIRECT, RELAY) if name in seen]
    best = {name: pick_best(steps) for name, steps in seen.items()}
    measures = [_compare_delay(step, other, best[other]) for step in best[ACERVO].values() for other in others]
    if RELAY in seen:
        both = [size for size in best[ACERVO] if size in best[RELAY] and size >= SHOWN]
        measures += [_compare_cpu(best[ACERVO][size], best[RELAY][size]) for size in both]
    held = {name: find_held(steps) for name, steps in seen.items()}
    note = f"{RATE} tokens/s each, 99th percentile under {LIMIT_MS} ms; {explain(seen[ACERVO])}"
    what = "streams held by one processor" if can_pin() else "streams held"
    return measures + [
        Measure(what, held[ACERVO], "streams", name, held[name], True, note, key=f"held:{name}") for name in others
    ]


def pick_best(steps: Sequence[Step]) -> dict[int, Step]:
    """Of several attempts at a size the one with the least delay, by size."""
    return {step.streams: step for step in sorted(steps, key=lambda step: (step.streams, -step.late_ms))}


def find_held(steps: Sequence[Step]) -> int:
    """The most streams whose tokens were in time."""
    return max((s.streams for s in steps if s.late_ms <= LIMIT_MS and s.flowing >= s.streams), default=0)


def _compare_delay(step: Step, other: str, steps: dict[int, Step]) -> Measure:
    base = steps.get(step.streams)
    what = f"delay of a token, 99th percentile, {step.streams} streams"
    note = f"median {step.median_ms:.1f} ms; {RATE} tokens/s each"
    return Measure(
        what, step.late_ms, "ms", other, base and base.late_ms, note=note, key=f"delay {other}:{step.streams}"
    )


def _compare_cpu(step: Step, base: Step) -> Measure:
    what = f"CPU of a relayed token at {RATE} tokens/s, {step.streams} streams"
    note = f"time for {1e6 / (RATE * step.server_cpu_us):,.0f} streams on one processor"
    return Measure(
        what, step.server_cpu_us, "µs", RELAY, base.server_cpu_us, note=note, key=f"paced cpu:{step.streams}"
    )


def explain(steps: Sequence[Step]) -> str:
    """What the limit was at the last step."""
    last = steps[-1]
    told = f"server {last.server_busy:.0%} busy, readers {last.busy:.0%} at {last.streams}"
    if last.busy > BUSY:
        return f"{told}: the readers were the limit"
    if find_held(steps) == last.streams:
        return f"{told}: more were not tried"
    return told if last.server_busy > BUSY else f"{told}: other work on the machine kept the server from its processor"
