"""The arithmetic of the benchmarks, and what they write."""

from dataclasses import replace
from pathlib import Path

import pytest

from database.settings import ROOT
from tests.bench.crowd import Step
from tests.bench.document import BEGIN, END, replace_section, write_results
from tests.bench.holding import explain, find_held, pick_best
from tests.bench.kept import Kept, Result
from tests.bench.measures import Measure, alternate, fit_exponent, left_out, round_off
from tests.bench.paced import MODULUS, read_stamps, spell
from tests.bench.plots import draw_results
from tests.bench.sizes import find_debian_packages
from tests.bench.table import write_markdown

MACHINE = {"when": "2026-01-01 00:00 UTC", "processors": "2 × any"}


def test_ratio_says_how_many_times_better() -> None:
    assert Measure("speed", 30, "pages/s", "plain", 10, more_is_better=True).ratio == 3
    assert Measure("delay", 30, "ms", "plain", 10).ratio == pytest.approx(1 / 3)


@pytest.mark.parametrize("measure", [Measure("alone", 3), Measure("nothing", 3, base=0), left_out("gone", "why")])
def test_no_ratio_without_something_to_compare(measure: Measure) -> None:
    assert measure.ratio is None
    assert measure.row().ratio == ""


def test_figures_are_rounded_to_what_matters() -> None:
    shown = [round_off(value) for value in (1234567, 1234.5, 12.345, 0.51234, 0.000512, 0)]
    assert shown == ["1,234,567", "1,234", "12.3", "0.512", "0.000512", "0"]


@pytest.mark.parametrize(("exponent", "factor"), [(0, 7.0), (1, 0.5), (1.5, 3.0), (2, 0.001)])
def test_exponent_of_a_power_is_found(exponent: float, factor: float) -> None:
    sizes = (1_000, 10_000, 100_000, 1_000_000)
    assert fit_exponent(sizes, [factor * size**exponent for size in sizes]) == pytest.approx(exponent)


def test_debian_packages_are_those_that_the_image_installs() -> None:
    assert find_debian_packages((ROOT / "Dockerfile").read_text("utf-8")) == ["tesseract-ocr-por", "tesseract-ocr-eng"]


def test_measured_in_turns_and_the_median_of_each() -> None:
    order, first, second = list[str](), iter([9.0, 1.0, 2.0]), iter([5.0, 50.0, 6.0])

    def one() -> float:
        order.append("one")
        return next(first)

    def other() -> float:
        order.append("other")
        return next(second)

    assert alternate(3, one, other) == [2.0, 6.0]
    assert order == ["one", "other"] * 3


def test_results_come_back_as_they_were_kept(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    result = Result("growth", "Growth", [Measure("a", 1.5, "s", "b", 3, note="n", key="a:1")], MACHINE, 2.5)
    kept.write(result)
    kept.write(replace(result, name="long"))
    assert kept.read("growth") == result
    kept.forget(["growth", "asking"])
    assert kept.read("growth") is None
    assert kept.read("long") == replace(result, name="long")


def test_table_has_a_cell_for_each_column_whatever_stands_in_it() -> None:
    rows = [Measure("a|b", 2, "ms", "plain", 4, note="x | y").row(), left_out("c", "not installed").row()]
    head, rule, *lines = write_markdown("Title", rows).splitlines()[2:]
    assert {line.count("|") for line in (head, rule, *lines)} == {6}
    assert "| 2.00 ms | plain: 4.00 ms | 2.00 |" in lines[0]


def test_only_the_marked_section_is_replaced() -> None:
    text = f"# Title\n{BEGIN}\nold\n{END}\nafter\n"
    once = replace_section(text, "new")
    assert once == f"# Title\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert replace_section(once, "new") == once
    with pytest.raises(ValueError, match="end"):
        replace_section(f"{BEGIN}\n", "new")


def test_document_has_the_section() -> None:
    assert "words" in replace_section((ROOT / "docs/performance.md").read_text("utf-8"), "words")


def test_plots_are_drawn_and_shown_below_their_tables(tmp_path: Path) -> None:
    measures = [Measure("q", size / 100, "ms", "vectors", 1, key=f"search cpu:{size}") for size in (1_000, 10_000)]
    result = Result("growth", "Growth", measures, MACHINE, 1)
    plots = draw_results([result], tmp_path)
    assert (tmp_path / plots["growth"]).read_bytes().startswith(b"\x89PNG")
    assert f"![Growth]({plots['growth']})" in write_results([result], plots)


def test_moments_survive_being_spelt_in_a_stream() -> None:
    moments = [0, 1, 123_456_789_012, MODULUS - 1]
    line = " ".join(spell(moment) for moment in moments).encode()
    assert read_stamps(b'{"content":"' + line + b'. "} quem quer queijo') == moments
    assert read_stamps(spell(5).encode()[:-1]) == []


def test_streams_are_held_while_all_flow_and_are_in_time() -> None:
    def step(streams: int, flowing: int, late_ms: float) -> Step:
        return Step(streams, flowing, 1, 1.0, late_ms, 0.1, 1.0, 0.1)

    assert find_held([step(100, 100, 5), step(250, 250, 99), step(500, 500, 101)]) == 250
    assert find_held([step(100, 100, 5), step(250, 240, 5)]) == 100
    assert find_held([step(1, 1, 500)]) == 0
    attempts = [step(1, 1, 5), step(100, 100, 300), step(100, 100, 20), step(250, 250, 400)]
    assert find_held(attempts) == 100
    assert pick_best(attempts)[100].late_ms == 20


@pytest.mark.parametrize(
    ("late_ms", "readers", "server", "told"),
    [(500, 0.95, 0.5, "readers were the limit"), (5, 0.1, 0.5, "not tried"), (500, 0.1, 0.5, "other work")],
)
def test_says_what_the_limit_was(late_ms: float, readers: float, server: float, told: str) -> None:
    assert told in explain([Step(100, 100, 1, 1.0, late_ms, readers, 1.0, server)])
    assert explain([Step(100, 100, 1, 1.0, 500, 0.1, 1.0, 0.99)]) == "server 99% busy, readers 10% at 100"
