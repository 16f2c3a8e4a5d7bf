"""The figures of pipelines as bars with their intervals, in a PNG file."""

from collections.abc import Mapping
from pathlib import Path

from database.evaluation.metrics import Estimate

COLOURS = (("#b8c4d6", "black"), ("#8fa3bf", "black"), ("#d9b48f", "black"), ("#a9bfa0", "black"), ("#1f5f8b", "white"))
"""Of bars and the numbers in them: the usual pipelines pale, the product strong; used from the end."""
SIZE_IN, DPI = (10.0, 5.0), 150


def draw_figures(pipelines: Mapping[str, Mapping[str, Estimate]], questions: int, path: Path) -> None:
    """A group of bars for each figure, a bar for each pipeline. Raises `OSError`."""
    # Imported only here: it takes a second, and nothing else of the product draws.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_IN, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    names = list(next(iter(pipelines.values())))
    width = 0.8 / len(pipelines)
    for at, (pipeline, figures) in enumerate(pipelines.items()):
        places = [group + (at + 0.5) * width - 0.4 for group in range(len(names))]
        means = [100 * figures[name].mean for name in names]
        below = [100 * (figures[name].mean - figures[name].low) for name in names]
        above = [100 * (figures[name].high - figures[name].mean) for name in names]
        colour, ink = COLOURS[at - len(pipelines)]
        bars = axes.bar(places, means, width * 0.92, label=pipeline, color=colour)
        axes.errorbar(places, means, (below, above), fmt="none", ecolor="#333333", elinewidth=1, capsize=2)
        axes.bar_label(bars, [f"{mean:.0f}" for mean in means], label_type="center", fontsize=8, color=ink)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylim(0, 100)
    axes.set_ylabel("%")
    axes.set_title(f"{questions} questions, 95 % intervals", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=len(pipelines), frameon=False, fontsize=9)
    figure.savefig(path, format="png")
