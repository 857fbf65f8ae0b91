"""`python -m dev.bench.results.plots RESULTS FOLDER`: plots the series of `./run bench --json`."""

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

PLOTS = {
    "connections": ("connections", "acknowledged per second"),
    "workers": ("workers", "stored per second"),
    "stored": ("messages stored already", "stored per second"),
}


def main(results: Path, folder: Path) -> None:
    """Write one SVG for each of the parts that was measured."""
    found: Any = json.loads(results.read_text())
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "history"
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    folder.mkdir(parents=True, exist_ok=True)
    for part, (across, up) in PLOTS.items():
        if part not in found:
            continue
        rows: list[Any] = found[part]["tables"][0]["rows"]
        figure, axes = pyplot.subplots(figsize=(6, 3.2), layout="constrained")
        _plot_samples(axes, rows, "ours", "ours")
        if part == "connections":
            _plot_samples(axes, rows, "theirs", "bare Starlette")
            axes.set_xscale("log")
            axes.legend()
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.set_ylim(bottom=0)
        axes.set_xticks(
            [_first_number(row["name"]) for row in rows], [f"{_first_number(row['name']):,}" for row in rows]
        )
        axes.minorticks_off()
        figure.savefig(folder / f"{part}.svg", metadata={"Date": None})
        pyplot.close(figure)


def _plot_samples(axes: Any, rows: list[Any], series: str, label: str) -> None:  # noqa: ANN401 - matplotlib's
    """Plot the medians with the least and the greatest value."""
    across = [_first_number(row["name"]) for row in rows]
    medians = [row[series]["median"] for row in rows]
    below = [row[series]["median"] - row[series]["min"] for row in rows]
    above = [row[series]["max"] - row[series]["median"] for row in rows]
    axes.errorbar(across, medians, yerr=[below, above], marker="o", capsize=3, label=label)


def _first_number(name: str) -> int:
    digits = re.search(r"[0-9][0-9,]*", name)
    return int(digits[0].replace(",", "")) if digits else 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
