"""PDFs and questions to measure with where no real ones are named: made up, always the same.

Each page tells of one place in several paragraphs, every third has a ruled table. A question asks for
one place in other words. What is found in them says little about real documents.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pymupdf

SYLLABLES = ("al", "bor", "cas", "del", "far", "gui", "lin", "mar", "nor", "pel", "ra", "sal", "tor", "val", "vim")
SENTENCES = (
    "The lighthouse of {name} was built in {year} by the harbour board and stands {n} metres above the sea.",
    "In the winter of that decade {m} ships passed the cape, most of them with grain from the south.",
    "A keeper writes wind, waves and visibility into a book every evening; {k} such books are kept.",
    "Since the last repair the lamp of {name} shows {n} flashes a minute, which fishermen count at night.",
    "The road from the village is {k} kilometres long and is closed when the river is high.",
    "Of the families that lived here {m} moved inland when the cannery closed, and {k} came back later.",
    "The school keeps a herbarium with {m} plants of the dunes, collected by its pupils since {year}.",
    "Every spring the parish counts nests on the cliffs: {k} in a poor year, {m} in a good one.",
)
QUESTION = "In which year was the lighthouse at {name} constructed?"
HEADING_PT, BODY_PT, LINE_PT, MARGIN_PT = 18, 11, 24, 72
REPEATED = 3
"""Paragraphs of a page."""


def make_corpus(folder: Path, documents: int, pages: int) -> tuple[Path, Path]:
    """Write PDFs, `corpus.json` and `questions.jsonl`; the paths of the two. What is there already stays."""
    corpus, questions = folder / "corpus.json", folder / "questions.jsonl"
    if corpus.exists():
        return corpus, questions
    folder.mkdir(parents=True, exist_ok=True)
    chance, asked, named = random.Random(5), list[str](), list[dict[str, str]]()
    for number in range(documents):
        name = f"report-{number:02}"
        places = [_make_name(chance) for _ in range(pages)]
        make_pdf(folder / f"{name}.pdf", places, chance)
        named.append({"doc": name, "file": f"{name}.pdf"})
        for page, place in enumerate(places, 1):
            relevant = [{"doc": name, "page": page}]
            asked.append(json.dumps({"question": QUESTION.format(name=place), "relevant": relevant}))
    questions.write_text("\n".join(asked) + "\n", "utf-8")
    corpus.write_text(json.dumps({"pdf_dir": ".", "docs": named}), "utf-8")
    return corpus, questions


def make_pdf(path: Path, places: list[str], chance: random.Random) -> Path:
    """A page for each place."""
    with pymupdf.open() as document:
        for number, place in enumerate(places):
            page = document.new_page()
            page.insert_text((MARGIN_PT, 90), f"The lights of {place}", fontsize=HEADING_PT, fontname="hebo")
            box = pymupdf.Rect(MARGIN_PT, 110, page.rect.width - MARGIN_PT, page.rect.height - MARGIN_PT)
            page.insert_textbox(box, "\n\n".join(_write(place, chance)), fontsize=BODY_PT)
            if number % 3 == 0:
                _draw_table(page, chance)
        document.save(path)
    return path


def make_long_pdf(path: Path, pages: int) -> Path:
    """One file of so many pages; one that is there stays."""
    if not path.exists():
        chance = random.Random(pages)
        path.parent.mkdir(parents=True, exist_ok=True)
        make_pdf(path, [_make_name(chance) for _ in range(pages)], chance)
    return path


def _make_name(chance: random.Random) -> str:
    return "".join(chance.choices(SYLLABLES, k=4)).capitalize()


def _write(place: str, chance: random.Random) -> Iterator[str]:
    for _ in range(REPEATED):
        figures = {"year": chance.randrange(1700, 1990), "n": chance.randrange(9, 80)}
        more = {"m": chance.randrange(100, 900), "k": chance.randrange(2, 60)}
        yield " ".join(sentence.format(name=place, **figures, **more) for sentence in SENTENCES)


def _draw_table(page: pymupdf.Page, chance: random.Random) -> None:
    rows = [("Year", "Ships", "Nests"), *([str(chance.randrange(100, 2000)) for _ in range(3)] for _ in range(4))]
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            top = page.rect.height - MARGIN_PT - LINE_PT * (len(rows) - y)
            box = pymupdf.Rect(MARGIN_PT + 120 * x, top, MARGIN_PT + 120 * (x + 1), top + LINE_PT)
            page.draw_rect(box)
            page.insert_text((box.x0 + 6, box.y0 + 16), cell, fontsize=BODY_PT)
