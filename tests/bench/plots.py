"""The figures drawn: PNG files from the measures' keys."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.kept import Result
from tests.bench.measures import Measure, round_off

OWN, OTHER, THIRD = "#1f5f8b", "#8fa3bf", "#d9b48f"
SIZE_IN, DPI = (9.0, 3.6), 130

Draw = Callable[[Sequence[Any], Sequence[Measure]], None]


def draw_results(results: Sequence[Result], folder: Path) -> dict[str, str]:
    """A file for each part that has something to draw; file names by the parts' names."""
    drawn = {}
    for result in results:
        draw = DRAWN.get(result.name)
        if draw and any(measure.key and measure.value for measure in result.measures):
            drawn[result.name] = f"performance-{result.name}.png"
            _save(draw, result.measures, folder / drawn[result.name])
    return drawn


def _save(draw: Draw, measures: Sequence[Measure], path: Path) -> None:
    # Imported only here: it takes a second.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_IN, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2)
    draw(axes, measures)
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="png", metadata={"Software": None})


def series(measures: Sequence[Measure], name: str) -> tuple[list[float], list[Measure]]:
    """The measures with keys "name:size", by size."""
    found = [(float(size), m) for m in measures for key, _, size in [m.key.rpartition(":")] if key == name and m.value]
    found.sort(key=lambda pair: pair[0])
    return [size for size, _ in found], [measure for _, measure in found]


def _draw_pipelines(axes: Sequence[Any], measures: Sequence[Measure]) -> None:
    speed = {m.key.partition(":")[2]: m for m in measures if m.key.startswith("whole load, pages/s:")}
    recall = {m.key.partition(":")[2]: m for m in measures if m.key.startswith("recall")}
    _bars(axes[0], speed, "pages/s, whole load")
    _bars(axes[1], recall, "recall@5 by page, %")


def _bars(axes: Any, beside: Mapping[str, Measure], title: str) -> None:
    own = next((m.value for m in beside.values()), 0) or 0
    bars = [("Acervo", own), *((name.partition(":")[0], m.base or 0) for name, m in beside.items())]
    drawn = axes.barh([name for name, _ in bars], [value for _, value in bars], color=[OWN] + [OTHER] * len(beside))
    axes.bar_label(drawn, [round_off(value) for _, value in bars], fontsize=8, padding=2)
    axes.invert_yaxis()
    axes.tick_params(labelsize=7)
    axes.set_title(title, loc="left", fontsize=9)


def _draw_stages(axes: Sequence[Any], measures: Sequence[Measure]) -> None:
    stages = [m for m in measures if m.key.startswith("stage:")]
    for at, value in ((-0.2, "value"), (0.2, "base")):
        heights = [getattr(m, value) or 0 for m in stages]
        colour, label = (OWN, "Acervo") if value == "value" else (OTHER, "plain pipeline")
        axes[0].bar([n + at for n in range(len(stages))], heights, 0.38, color=colour, label=label)
    axes[0].set_xticks(range(len(stages)), [m.key.partition(":")[2] for m in stages])
    axes[0].set_title("CPU ms a page", loc="left", fontsize=9)
    axes[0].legend(frameon=False, fontsize=8)
    shares = [m.value or 0 for m in stages]
    axes[1].pie(shares, labels=[m.key.partition(":")[2] for m in stages], textprops={"fontsize": 8}, autopct="%.0f %%")
    axes[1].set_title("Acervo's processor time by stage", loc="left", fontsize=9)


def _draw_growth(axes: Sequence[Any], measures: Sequence[Measure]) -> None:
    _lines(axes[0], measures, {"search cpu": ("Acervo", "vectors alone")}, "CPU ms of a question")
    _lines(axes[1], measures, {"memory": ("Acervo", "its vectors")}, "MB held after a question")
    for each in axes:
        each.set_xlabel("windows", fontsize=8)


def _draw_long(axes: Sequence[Any], measures: Sequence[Measure]) -> None:
    _lines(axes[0], measures, {"long": ("Acervo", "")}, "CPU seconds to load one file")
    _lines(axes[1], measures, {"long memory": ("Acervo", "")}, "MB at the most")
    for each in axes:
        each.set_xlabel("pages", fontsize=8)


def _draw_streaming(axes: Sequence[Any], measures: Sequence[Measure]) -> None:
    names = {m.key.rpartition(":")[0]: ("Acervo", m.against) for m in measures if m.key.startswith("burst")}
    _lines(axes[0], measures, names, "seconds to whole answers")
    axes[0].set_xlabel("clients", fontsize=8)
    axes[1].set_axis_off()


def _draw_holding(axes: Sequence[Any], measures: Sequence[Measure]) -> None:
    names = {m.key.rpartition(":")[0]: ("Acervo", m.against) for m in measures if m.key.startswith("delay")}
    _lines(axes[0], measures, names, "delay of a token, 99th percentile, ms")
    axes[0].axhline(100, color="#aa3333", linewidth=0.8, linestyle="--")
    axes[0].set_xlabel("streams", fontsize=8)
    _bars(axes[1], {m.against: m for m in measures if m.key.startswith("held:")}, "streams held by one processor")


def _lines(axes: Any, measures: Sequence[Measure], names: Mapping[str, tuple[str, str]], title: str) -> None:
    """Both logarithmic. Acervo is drawn once, however many are beside it."""
    for number, (name, (own, other)) in enumerate(names.items()):
        sizes, found = series(measures, name)
        if number == 0:
            axes.loglog(sizes, [m.value for m in found], "o-", color=OWN, label=own)
        pairs = [(size, m.base) for size, m in zip(sizes, found, strict=True) if m.base]
        if pairs:
            axes.loglog(*zip(*pairs, strict=True), "s--", color=(OTHER, THIRD)[number % 2], label=other)
    axes.set_title(title, loc="left", fontsize=9)
    axes.legend(frameon=False, fontsize=8)


DRAWN: Mapping[str, Draw] = {
    "pipelines": _draw_pipelines,
    "stages": _draw_stages,
    "long": _draw_long,
    "growth": _draw_growth,
    "streaming": _draw_streaming,
    "holding": _draw_holding,
}
