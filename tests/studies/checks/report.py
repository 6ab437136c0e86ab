"""The report ``checks.md``: costs of checks, beside an epoch and tests of other libraries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure as Canvas

from symmetry.report.files import Figure, ReportFiles, plain
from symmetry.report.filling import environment, fill_paragraphs
from tests.studies.ages import aged
from tests.studies.checks.costs import LIMIT
from tests.studies.checks.others import LIBRARIES

COMMAND = "python -m tests.studies.checks"
MARKDOWN, LINES, FIGURE = "checks.md", "checks.jsonl", "checks.png"
SCRIPTS = {  # in the order of the report
    "readme": "README's script",
    "cnn": "CNN",
    "gpt": "GPT",
    "trainer": "Trainer of transformers",
    "lightning_fit": "Lightning",
    "gan": "GAN",
    "vae": "VAE",
    "diffusion": "diffusion",
    "rl": "PPO",
    "jax_mlp": "MLP in JAX",
    "flax_cnn": "CNN in Flax",
    "jax_gpt": "GPT in JAX",
}
PARTS = {"imports and first steps": "#999999", "units": "#0072b2", "all else": "#e69f00"}
_FIRST, _UNITS = ("imports", "first steps"), "finding units"

Row = Mapping[str, Any]


def render(rows: Mapping[str, Row]) -> ReportFiles:
    """Return the report of the rows that there are."""
    measured = {name: rows[name] for name in SCRIPTS if name in rows}
    template = environment(Path(__file__).parent).get_template(f"{MARKDOWN}.jinja")
    text = template.render(
        command=COMMAND,
        figure=FIGURE,
        rows=measured,
        titles=SCRIPTS,
        others={n: row for n, row in measured.items() if row.keys() & {*LIBRARIES}},
        libraries=[*LIBRARIES],
        limit=LIMIT,
        processors=" and ".join(sorted({row["processor"] for row in measured.values()})),
        seconds=seconds,
        loads=sorted(costs["load"] for row in measured.values() for costs in _costs(row)),
    )
    return ReportFiles(
        {MARKDOWN: aged(MARKDOWN, fill_paragraphs(text), measured.values())}, (_figure(measured),)
    )


def seconds(costs: Row | None) -> str:
    """Return CPU seconds, or why there are none."""
    if costs is None:
        return "-"
    return f"not within {LIMIT}" if "failed" in costs else f"{costs['cpu_seconds']:.1f}"


def parts_of(row: Row) -> list[float]:
    """Return the CPU seconds of a check by the parts of the figure."""
    parts = row["check"].get("parts", {})
    first = sum(parts.get(name, 0.0) for name in _FIRST)
    units = parts.get(_UNITS, 0.0)
    return [first, units, sum(parts.values()) - first - units]


def _costs(row: Row) -> list[Row]:
    return [costs for costs in row.values() if isinstance(costs, dict)]


def _figure(rows: Mapping[str, Row]) -> Figure:
    """Draw the parts of each check as a bar, and a mark for the epoch of the script alone."""
    drawn = {
        SCRIPTS[name]: (parts_of(row), row["alone"]["cpu_seconds"]) for name, row in rows.items()
    }

    def draw(canvas: Canvas, *_: object) -> None:
        axes = canvas.subplots()
        for place, (parts, alone) in enumerate(reversed(drawn.values())):
            left = 0.0
            for part, (name, colour) in zip(parts, PARTS.items(), strict=True):
                label = name if not place else None
                axes.barh(place, part, left=left, color=colour, label=label, height=0.7)
                left += part
            label = "the script alone" if not place else None
            axes.plot([alone] * 2, [place - 0.4, place + 0.4], color="black", label=label)
        axes.set_yticks(range(len(drawn)), [*reversed(drawn)])
        axes.set_xlabel("CPU seconds")
        axes.legend(frameon=False)
        plain(axes)

    shows = tuple(f"{name}{parts}{alone}" for name, (parts, alone) in drawn.items())
    return Figure(FIGURE, (7.5, 4.2), shows, draw)
