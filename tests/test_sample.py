"""The sample PDF says what its text in docs/guide says, on the page where it says it."""

import pymupdf
import pytest

from scripts import make_sample

QUESTIONS = [
    ("Como adicionar um PDF", 1),
    ("Como ler as citações", 2),
    ("O que sai da minha máquina", 3),
    ("How to add a PDF", 4),
    ("How to read the citations", 5),
    ("What leaves my machine", 6),
]


def page_texts(data: bytes) -> list[str]:
    with pymupdf.open("pdf", data) as document:
        return [page.get_text() for page in document]


def test_the_sample_is_up_to_date() -> None:
    made = make_sample.make_sample()
    assert page_texts(made) == page_texts(make_sample.TARGET.read_bytes()), "run: python scripts/make_sample.py"


def test_the_same_text_gives_the_same_bytes() -> None:
    assert make_sample.make_sample() == make_sample.make_sample()


@pytest.mark.parametrize(("heading", "number"), QUESTIONS)
def test_answers_are_on_their_pages(heading: str, number: int) -> None:
    pages = page_texts(make_sample.TARGET.read_bytes())
    assert [n for n, text in enumerate(pages, 1) if heading in text] == [number]


def test_a_page_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="page 1 of the guide is too long"):
        make_sample.draw(["A sentence that fills the page.\n\n" * 100])


def test_the_sample_carries_title_and_outline() -> None:
    with pymupdf.open(make_sample.TARGET) as document:
        assert document.metadata["title"] == make_sample.TITLE
        assert [1, "Guia do Acervo", 1] in document.get_toc()
