"""What `GET /metrics` tells, in the format of Prometheus, on a registry of the application's own.

Counters are moved by the requests themselves. What can only be asked for (documents, jobs, whether the
services answer) is asked by whoever scrapes, a few seconds apart at most.
"""

from collections import Counter as Counted
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.tally import Tally

REQUEST_S = (0.005, 0.02, 0.1, 0.5, 2, 10, 30, 120, 600)
FIRST_TOKEN_S = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 120, 300)


@dataclass(frozen=True)
class Snapshot:
    """The state of things; None is what could not be learned."""

    answers: int = 0
    uploads: int = 0
    up: Mapping[str, bool] = field(default_factory=dict)
    """By the name of the service: the store, `ollama`."""
    documents: int | None = None
    windows: int | None = None
    jobs: Mapping[str, int] | None = None


class Metrics:
    """The numbers of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "acervo_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._request_s = Histogram(
            "acervo_request_seconds",
            "Seconds from a request to the end of its response.",
            ["route"],
            buckets=REQUEST_S,
            registry=self.registry,
        )
        self._questions = Counter(
            "acervo_questions", "Questions, by what became of them.", ["model", "outcome"], registry=self.registry
        )
        self._tokens = Counter("acervo_tokens", "Tokens relayed.", ["model"], registry=self.registry)
        self._first_token_s = Histogram(
            "acervo_first_token_seconds",
            "Seconds from a question to the first token of its answer.",
            ["model"],
            buckets=FIRST_TOKEN_S,
            registry=self.registry,
        )
        self._files = Counter("acervo_files", "Files sent by people.", ["outcome"], registry=self.registry)
        self.snapshot = Snapshot()
        self.registry.register(_Current(self))
        ProcessCollector(registry=self.registry)

    def count_request(self, request: web.Request, status: int, seconds: float) -> None:
        """A request has been answered; 499 is one whose client went away."""
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else ""
        self._requests.labels(request.method if route else "", route, status).inc()
        self._request_s.labels(route).observe(seconds)

    def count_answer(self, tally: Tally) -> None:
        """An answer has ended, one way or the other."""
        self._questions.labels(tally.model, tally.outcome).inc()
        if tally.tokens:
            self._tokens.labels(tally.model).inc(tally.tokens)
            self._first_token_s.labels(tally.model).observe(tally.first_token_s)

    def count_files(self, taken: int, refused: int) -> None:
        """An upload has ended."""
        self._files.labels("taken").inc(taken)
        self._files.labels("refused").inc(refused)


class _Current(Collector):
    """Gauges of the latest snapshot."""

    def __init__(self, metrics: Metrics):
        self._metrics = metrics

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Those that are known."""
        now = self._metrics.snapshot
        for name, text, value in (
            ("acervo_answers_running", "Answers being written.", now.answers),
            ("acervo_uploads_running", "Uploads being received.", now.uploads),
            ("acervo_documents", "Documents that can be searched.", now.documents),
            ("acervo_windows", "Stretches of text that are searched.", now.windows),
        ):
            if value is not None:
                yield GaugeMetricFamily(name, text, value)
        yield _by_label("acervo_up", "1 while the service answers.", "service", now.up)
        if now.jobs is not None:
            yield _by_label("acervo_jobs", "Jobs of uploaded files, by state.", "state", now.jobs)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing is collected to be registered."""
        return iter(())


def _by_label(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def count_states(states: Iterable[str]) -> Mapping[str, int]:
    """How many jobs there are in each state, 0 included."""
    known = dict.fromkeys(("queued", "running", "done", "failed", "cancelled"), 0)
    return known | Counted(states)
