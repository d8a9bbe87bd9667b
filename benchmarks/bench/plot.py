"""Results as pictures. Needs matplotlib."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot

from bench.report import Result, Row


def draw(result: Result, file: Path) -> None:
    """Draw a panel for each metric: curves where sizes differ, else bars; the range as whiskers."""
    metrics = list(dict.fromkeys(row.metric for row in result.rows))
    columns = min(3, len(metrics)) if len(metrics) != 4 else 2
    lines = -(-len(metrics) // columns)
    figure, axes = pyplot.subplots(
        lines, columns, figsize=(5.2 * columns, 3.4 * lines), squeeze=False, layout="constrained"
    )
    colours = {name: f"C{number}" for number, name in enumerate(result.contenders)}
    for number, axis in enumerate(axes.flat):
        if number >= len(metrics):
            axis.set_visible(False)
            continue
        rows = [row for row in result.rows if row.metric == metrics[number]]
        if rows[0].x is not None:
            _curves(axis, rows, colours)
        else:
            _bars(axis, rows[0], colours)
        axis.set_title(metrics[number], fontsize=10)
    figure.suptitle(result.title, fontsize=11)
    figure.savefig(file, dpi=90)
    pyplot.close(figure)


def _curves(axis: pyplot.Axes, rows: list[Row], colours: dict[str, str]) -> None:
    for name, colour in colours.items():
        points = []
        for row in rows:
            reached = [s for s in row.samples.get(name, []) if s is not None]
            median = row.median(name)
            if median is not None:
                points.append((row.x, median, median - min(reached), max(reached) - median))
        if points:
            xs, ys, low, high = zip(*points, strict=True)
            axis.errorbar(xs, ys, [low, high], label=name, color=colour, marker="o", capsize=3)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("files in the tree")
    axis.set_ylabel(rows[0].unit)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)


def _bars(axis: pyplot.Axes, row: Row, colours: dict[str, str]) -> None:
    names = [name for name in colours if name in row.samples]
    for place, name in enumerate(reversed(names)):
        median = row.median(name)
        if median is None:
            axis.text(0, place, " never", va="center", fontsize=9)
            axis.barh(place, 0)
            continue
        reached = [sample for sample in row.samples[name] if sample is not None]
        axis.barh(
            place,
            median,
            color=colours[name],
            xerr=[[median - min(reached)], [max(reached) - median]],
            capsize=3,
        )
    axis.set_yticks(range(len(names)), reversed(names), fontsize=8)
    axis.set_xlabel(row.unit)
    axis.grid(axis="x", alpha=0.3)
