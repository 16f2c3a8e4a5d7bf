"""One evaluation: questions to an open index, and everything that was asked for about them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from database.evaluation.baselines import rank_baselines
from database.evaluation.corpus import Corpus
from database.evaluation.index import Index
from database.evaluation.measuring import ask_all, quote_all
from database.evaluation.metrics import DEPTH, Values, estimate, estimate_all, estimate_lead, score_all
from database.evaluation.places import Located, Place, Places
from database.evaluation.progress import Progress
from database.evaluation.questions import Question
from database.evaluation.report import RECIPE, Report
from database.fusion import WEIGHTS
from database.retrieval import Retriever


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure: recall at each of `ks`, the usual pipelines, quoted answers, and whether `others`,
    questions about documents that are not in the index, are refused. Views in `without` do not count."""

    ks: Sequence[int]
    compare: bool = False
    answers: bool = False
    others: Sequence[Question] = ()
    without: Collection[str] = ()

    @property
    def weights(self) -> dict[str, float]:
        """Of the views that count."""
        return {view: weight for view, weight in WEIGHTS.items() if view not in self.without}


async def evaluate(
    index: Index, corpus: Corpus | None, questions: Sequence[Question], options: Options, progress: Progress
) -> Report:
    """Put the questions to the index. Raises `StoreError` or `EmbedderError`."""
    places = Places(index.documents, corpus)
    located = [places.locate(question) for question in questions]
    retriever = Retriever(index.store, index.embedder, index.reranker, options.weights)
    depth = max(DEPTH, *options.ks)
    with progress.track(f"Asking {len(questions)} questions", len(questions)) as advance:
        asked, seconds = await ask_all(retriever, questions, depth, advance)
    values = _score(located, [each.ranking for each in asked], options.ks)
    report = Report(estimate_all(values), located, asked, index, await index.store.count(), seconds)
    if options.answers:
        await _measure_answers(report, retriever, progress)
    if options.others:
        await _measure_refusals(report, retriever, options.others, progress)
    if options.compare:
        await _compare(report, values, options.ks, progress)
    return report


def _score(located: Sequence[Located], rankings: Sequence[Sequence[Place]], ks: Sequence[int]) -> dict[str, Values]:
    return score_all([(each.places, each.wanted) for each in located], rankings, ks)


async def _measure_answers(report: Report, retriever: Retriever, progress: Progress) -> None:
    questions = [each.question for each in report.questions if each.question.answers]
    report.answered = len(questions)
    with progress.track(f"Quoting answers to {len(questions)} questions", len(questions)) as advance:
        report.answers = estimate_all(await quote_all(retriever, report.index.embedder, questions, advance))


async def _measure_refusals(
    report: Report, retriever: Retriever, others: Sequence[Question], progress: Progress
) -> None:
    with progress.track(f"Asking {len(others)} questions about other documents", len(others)) as advance:
        asked, _ = await ask_all(retriever, others, 1, advance)
    report.others = len(others)
    report.refusals = {
        name: estimate(np.array([each.refused for each in found], float))
        for name, found in (("rightly", asked), ("wrongly", report.asked))
    }


async def _compare(report: Report, values: dict[str, Values], ks: Sequence[int], progress: Progress) -> None:
    questions = [each.question for each in report.questions]
    index = report.index
    rankings = await rank_baselines(index.store, index.embedder, index.documents, questions, progress)
    scored = {name: _score(report.questions, ranking, ks) for name, ranking in rankings.items()}
    report.pipelines = {name: estimate_all(each) for name, each in scored.items()} | {RECIPE: report.figures}
    report.leads = {name: estimate_lead(values, each) for name, each in scored.items()}
