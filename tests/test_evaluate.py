"""Measuring: files of questions, right places, figures, the usual pipelines. `test_evaluate_runs.py` runs all of it."""

import math
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from database.documents import Document, Name
from database.errors import QuestionsError
from database.evaluation.baselines import OVERLAP, fuse_ranks, rank_words, split_pages
from database.evaluation.corpus import PassageCorpus, PdfCorpus, read_corpus
from database.evaluation.measuring import contains
from database.evaluation.metrics import (
    estimate,
    estimate_lead,
    score_all,
    score_gain,
    score_recall,
    score_reciprocal_rank,
)
from database.evaluation.places import Places
from database.evaluation.questions import Question, RightPage, read_questions
from tests.pdfs import make_pdf

# Figures

RANKING = ["a", "b", "c", "d"]


def test_recall_is_whether_one_right_place_is_among_the_first() -> None:
    assert [score_recall({"c", "d", "x"}, RANKING, k) for k in (1, 2, 3, 10)] == [0, 0, 1, 1]
    assert score_recall({"x"}, RANKING, 10) == 0


def test_the_reciprocal_rank_is_that_of_the_first_right_place() -> None:
    assert score_reciprocal_rank({"c", "d"}, RANKING) == pytest.approx(1 / 3)
    assert score_reciprocal_rank({"c"}, RANKING, depth=2) == 0


def test_gain_is_compared_with_the_best_ranking() -> None:
    # Right ones at 2 and 4; the best ranking of three right ones has them at 1, 2 and 3.
    gained, best = 1 / math.log2(3) + 1 / math.log2(5), 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert score_gain({"b", "d"}, RANKING, wanted=3) == pytest.approx(gained / best)
    assert score_gain({"a", "b"}, RANKING, wanted=2) == 1
    assert score_gain({"a"}, ["a"], wanted=20, depth=1) == 1


def test_every_figure_has_a_value_for_each_question() -> None:
    values = score_all([({"a"}, 1), ({"d"}, 1), (set(), 1)], [RANKING] * 3, (1, 5))
    assert {name: each.tolist() for name, each in values.items()} == {
        "recall@1": [1, 0, 0],
        "recall@5": [1, 1, 0],
        "mrr@10": [1, 0.25, 0],
        "ndcg@10": [1, pytest.approx(1 / math.log2(5)), 0],
    }


def test_intervals_are_as_wide_as_theory_says_and_always_the_same() -> None:
    half = np.array([0.0, 1.0] * 50)
    found = estimate(half)
    expected = 1.96 * math.sqrt(0.25 / 100)  # of a share of 1/2 in 100
    assert found.mean == 0.5 and found == estimate(half)
    assert (found.low, found.high) == (pytest.approx(0.5 - expected, abs=0.02), pytest.approx(0.5 + expected, abs=0.02))
    assert estimate(np.ones(7)).low == 1 and estimate(np.zeros(0)).mean == 0


def test_a_lead_is_measured_question_by_question() -> None:
    one, other = np.array([1.0, 1, 0, 0] * 10), np.array([1.0, 0, 0, 0] * 10)
    lead = estimate_lead({"recall@1": one}, {"recall@1": other})["recall@1"]
    apart = estimate(one).low - estimate(other).high
    assert lead.mean == 0.25 and lead.low > 0 > apart
    same = estimate_lead({"recall@1": one}, {"recall@1": one})["recall@1"]
    assert (same.mean, same.low, same.high) == (0, 0, 0)


@pytest.mark.parametrize(
    ("sentences", "answers", "held"),
    [
        (["O farol foi construído em 1887."], ["CONSTRUIDO em 1887"], 1),
        (["Built of oak,", "in 1887."], ["oak in 1887"], 1),
        (["The harvest of 1923."], ["192"], 0),
        (["No answer here."], ["elsewhere", "no answer"], 1),
        ([], ["anything"], 0),
    ],
)
def test_an_answer_is_contained_word_by_word(sentences: list[str], answers: list[str], held: float) -> None:
    assert contains(sentences, answers) == held


# Files of questions


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def test_json_lines_hold_pages_or_passages(tmp_path: Path) -> None:
    lines = [
        '{"id": 7, "question": " Who? ", "relevant": [{"doc": "a", "page": 2}], "answer": "I"}',
        "",
        '{"question": "When?", "relevant": ["p1", "p2"], "answer": ["", "now"], "lang": "en"}',
    ]
    assert read_questions(write(tmp_path / "q.jsonl", "\n".join(lines))) == [
        Question("7", "Who?", (RightPage(doc="a", page=2),), ("I",)),
        Question("line 3", "When?", ("p1", "p2"), ("now",)),
    ]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ('question,document,page\n"Who, then?",a.pdf,2\nWhen?,b,1\n"Who, then?",b,3\n', "utf-8"),
        ("Question;Document;Page\r\nWho, then?;a.pdf;2\r\nWhen?;b;1\r\nWho, then?;b;3\r\n", "utf-8-sig"),
        ("page\tdocument\tquestion\n2\ta.pdf\tWho, then?\n1\tb\tWhen?\n3\tb\tWho, then?", "utf-8"),
    ],
    ids=["commas", "spreadsheet", "tabs"],
)
def test_rows_of_one_question_are_its_right_pages(tmp_path: Path, text: str, encoding: str) -> None:
    who, when = read_questions(write(tmp_path / "q.CSV", text, encoding))
    assert (who.text, who.relevant) == ("Who, then?", (RightPage(doc="a.pdf", page=2), RightPage(doc="b", page=3)))
    assert (when.text, when.relevant) == ("When?", (RightPage(doc="b", page=1),))


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("q.jsonl", '{"question": "a", "relevant": ["p"]}\nnonsense\n', ["line 2", 'on each line {"question"']),
        ("q.jsonl", '{"question": "a"}\n{"question": "", "relevant": []}', ["line 1: relevant", "line 2: question"]),
        ("q.jsonl", '{"question": "a", "relevant": [{"doc": "a", "page": 0}]}', ["line 1: relevant.0", "page"]),
        ("q.jsonl", "\n\n", ["no question"]),
        ("q.csv", "question,document,page\nWho?,a,2\nWho, then?,a,2\n", ["line 3: page", 'commas in "quotes"']),
        ("q.csv", "frage,dokument,seite\nWer?,a,2\n", ["line 2: question", "question,document,page"]),
        ("q.csv", "", ["no question"]),
    ],
)
def test_wrong_lines_are_named_with_what_was_expected(tmp_path: Path, name: str, text: str, told: list[str]) -> None:
    with pytest.raises(QuestionsError) as refused:
        read_questions(write(tmp_path / name, text))
    assert all(part in str(refused.value) for part in [name, *told])


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(QuestionsError, match=r"line 2: not UTF-8\. Save the file as UTF-8"):
        read_questions(write(tmp_path / "q.csv", "question,document,page\nVitória?,a,1\n", "latin-1"))
    with pytest.raises(QuestionsError, match=r"nowhere\.jsonl cannot be read: No such file"):
        read_questions(tmp_path / "nowhere.jsonl")


# What they are put to


def test_passages_of_one_source_are_pages_of_one_document(tmp_path: Path) -> None:
    lines = ['{"pid": "1", "doc": "d", "title": "T", "text": "x"}', '{"pid": "2", "text": "y"}']
    lines.append('{"pid": "3", "doc": "d", "title": "T", "text": "z"}')
    corpus = read_corpus(write(tmp_path / "p.jsonl", "\n".join(lines)))
    assert isinstance(corpus, PassageCorpus)
    assert [(d.name, d.title, d.pids, [p.text for p in d.pages]) for d in corpus.documents] == [
        ("d", "T", ("1", "3"), ["x", "z"]),
        ("2", "", ("2",), ["y"]),
    ]
    lines[0] = lines[0].replace('"x"', '"w"')
    assert read_corpus(write(tmp_path / "p.jsonl", "\n".join(lines))).key != corpus.key


def test_pdfs_are_found_beside_their_list(tmp_path: Path) -> None:
    file = make_pdf(tmp_path / "pdf/a b.pdf", ["text"])
    listed = '{"pdf_dir": "x/../pdf", "docs": [{"doc": "first", "file": "a b.pdf", "pages": 1}]}'
    corpus = read_corpus(write(tmp_path / "corpus.json", listed))
    assert isinstance(corpus, PdfCorpus) and (corpus.paths, corpus.files) == ((file,), {"first": file})
    folder = read_corpus(tmp_path / "pdf")
    assert isinstance(folder, PdfCorpus) and folder.paths == (tmp_path / "pdf",)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("c.json", '{"docs": []}', "docs: List should have at least 1 item"),
        ("c.json", '{"pdf_dir": ".", "docs": [{"doc": "a", "file": "gone.pdf"}]}', "files that are not there: .*gone"),
        ("c.jsonl", '{"pid": "1", "text": "x"}\n{"pid": "1", "text": "y"}', "line 2: pid '1' stands on line 1 already"),
        ("c.jsonl", '{"pid": "1"}', r"line 1: text: (?s:.*)Expected: on each line \{\"pid\""),
        ("c.txt", "", "a corpus is a .json file"),
    ],
)
def test_a_wrong_corpus_is_refused(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(QuestionsError, match=told):
        read_corpus(write(tmp_path / name, text))


def make_document(document_id: str, path: str, pages: int = 9) -> Document:
    return Document(document_id, "", (Name("/root", path),), 1, page_count=pages, state="ready", version="v")


def test_documents_are_found_by_any_spelling_of_their_name() -> None:
    places = Places([make_document("1", "2023/Relatório.pdf"), make_document("2", "2024/plan.v2.pdf")])
    names = ["Relatório.pdf", "relatório", unicodedata.normalize("NFD", "Relatório"), "2023/Relatório.PDF", "plan.v2"]
    located = places.locate(Question("q", "?", tuple(RightPage(doc=name, page=3) for name in names)))
    assert located.places == {("1", 3), ("2", 3)} and not located.missing


def test_what_is_not_there_is_named_and_counts() -> None:
    places = Places([make_document("1", "a/x.pdf", pages=2), make_document("2", "b/x.pdf")])
    right = (RightPage(doc="x", page=1), RightPage(doc="a/x", page=3), RightPage(doc="y", page=1), "p9")
    located = places.locate(Question("q", "?", (*right, RightPage(doc="b/x", page=1))))
    assert located.places == {("2", 1)} and located.wanted == 5
    parts = ("fits 2", "has 2 pages", "no document 'y'", "no passage 'p9'")
    assert len(located.missing) == 4 and all(map(str.__contains__, located.missing, parts))


# The usual pipelines


def test_words_are_matched_as_they_are_written() -> None:
    texts = ["The keeper lives here.", "keepers and stones", "a keeper keeps a keeper", "o construído"]
    assert rank_words(texts, ["KEEPER?", "construido", '"OR"; --', ""]) == [[2, 0], [], [], []]


def test_ranks_are_summed_with_equal_weight() -> None:
    # 5 is first and third, 7 second and first, 9 third and absent.
    assert fuse_ranks([[5, 7, 9], [7, 1, 5]]) == [7, 5, 1, 9]


def test_pages_are_cut_as_tutorials_do() -> None:
    page = " ".join(f"word{n}" for n in range(1000))
    chunks = split_pages([(("d", 1), page), (("d", 2), "short")], 1000)
    assert all(len(text) <= 1000 for text in chunks.texts) and chunks.places == [("d", 1)] * (len(chunks.texts) - 1) + [
        ("d", 2)
    ]
    first, second = chunks.texts[:2]
    shared = next(n for n in range(OVERLAP, 0, -1) if second.startswith(first[-n:].lstrip()))
    assert shared > OVERLAP / 2
    assert chunks.find_places([1, 0, len(chunks.texts) - 1]) == (("d", 1), ("d", 2))
