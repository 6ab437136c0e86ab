"""The report ``response.md``: ratios of sound and of broken trainings, and its picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from symmetry.report.files import Figure, ReportFiles, plain
from symmetry.report.filling import environment, fill_paragraphs
from symmetry.training.response import THRESHOLDS
from symmetry.units.dtypes import DTYPES
from tests.studies.public.rows import BAD, file_of, read
from tests.studies.public.targets import study
from tests.studies.rows import Row, made_at

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

COMMAND = "python -m tests.studies.response"
MARKDOWN, ROWS, FIGURE = "response.md", "response.jsonl.gz", "response.png"
OTHERS = ("survey", "trainers")  # studies of public code
BUG = "bug of the library"
PROPERTY = "property of the architecture"
WEAKNESS = "weakness of this tool"
KINDS = {
    "sound": "sound zoo",
    "nearly": "sound, nearly broken",
    "hard": "hard on a response",
    "survey": "models of other libraries, as in the survey",
    "trainers": "trainers of other libraries, as in their report",
    "broken": "broken zoo",
}


class Reason(NamedTuple):
    """The class of a finding, and what was found, in a sentence."""

    kind: str
    text: str


# Why trainings that are not in the broken zoo are accused.
REASONS = {
    **{
        each.name: Reason(each.facts["kind"], each.facts["why"])
        for name in OTHERS
        for each in study(name).targets
        if "kind" in each.facts
    },
    "penalty_between_flipped_samples": Reason(
        WEAKNESS, "its step pairs samples by their places in the batch, which is no rounding"
    ),
}
_OTHER = "in the other precision"
_MARKS = {  # of those beyond the limit, and of faults below it: marker and colour
    BUG: ("D", "#cc79a7"),
    PROPERTY: ("s", "#009e73"),
    WEAKNESS: ("x", "#000000"),
    _OTHER: ("o", "#d55e00"),
}
_WORDS = {
    BUG: "accused: a bug of a library",
    PROPERTY: "accused: hidden tokens count by design",
    WEAKNESS: "accused wrongly",
    _OTHER: "shows in the other precision only",
}
_LEAST = 1e-2  # smaller ratios are drawn there
_MOST = 1e17  # larger ones there


class Ratio(NamedTuple):
    """How far a training deviates by a law."""

    kind: str
    target: str
    law: str
    dtype: str
    ratio: float
    accuses: bool
    commit: str

    @property
    def reason(self) -> Reason:
        """Why it is accused, though it is in no broken zoo."""
        return REASONS.get(self.target, Reason(WEAKNESS, "not looked into"))

    @property
    def of_limit(self) -> float:
        """The ratio as a part of the limit."""
        return self.ratio / THRESHOLDS[self.dtype]


def render(rows: Sequence[Row], folder: Path) -> ReportFiles:
    """Return the report of the rows that there are, beside those of other studies."""
    ratios = [*_ratios(rows), *_of_others(folder)]
    sound = [each for each in ratios if each.kind != "broken"]
    caught = _caught(rows)
    weakest = [min(each, key=_size) for each in caught.values()]
    text = (
        environment(Path(__file__).parent)
        .get_template(f"{MARKDOWN}.jinja")
        .render(
            command=COMMAND,
            figure=FIGURE,
            kinds=KINDS,
            limits=THRESHOLDS,
            rows=[_row(kind, dtype, ratios) for kind in KINDS for dtype in DTYPES],
            nearest=sorted((each for each in sound if not each.accuses), key=_size, reverse=True)[
                :12
            ],
            least=_LEAST,
            weakest=sorted(weakest, key=_size)[:12],
            faults=sum("meant" in row for row in rows),
            missed=[row["target"] for row in rows if _missed(row)],
            accused=[each for each in sound if each.accuses],
            judged=_judged(rows),
            gaps={d: _gap(sound, caught, d) for d in DTYPES},
            seconds=round(sum(row["cpu_seconds"] for row in rows)),
            made=made_at(rows),
            number=_number,
        )
    )
    return ReportFiles({MARKDOWN: fill_paragraphs(text)}, (_figure(ratios),))


def _size(ratio: Ratio) -> float:
    return ratio.of_limit


def _ratios(rows: Sequence[Row]) -> Iterator[Ratio]:
    """Yield the ratios of the study's own rows: of broken ones those of the laws meant for them."""
    for row in rows:
        kind, _, target = row["target"].partition("/")
        for law, dtype, ratio, accuses in row["results"]:
            if ratio is not None and law in row.get("meant", [law]):
                yield Ratio(kind, target, law, dtype, float(ratio), accuses, row["commit"])


def _of_others(folder: Path) -> Iterator[Ratio]:
    """Yield the ratios in the rows of other studies, each measured with a commit of its own."""
    for kind in OTHERS:
        for target, row in read(file_of(kind, folder)).items():
            for law, dtype, verdict, *ratio in row["results"]:
                for each in ratio:
                    yield Ratio(kind, target, law, dtype, each, verdict in BAD, row["code"])


def _caught(rows: Sequence[Row]) -> dict[str, list[Ratio]]:
    """Return by broken training the largest accusing ratio of each law that is meant for it."""
    found: dict[str, list[Ratio]] = {}
    for ratio in _ratios(rows):
        if ratio.kind == "broken" and ratio.accuses:
            found.setdefault(ratio.target, []).append(ratio)
    return {
        target: [_strongest(each, law) for law in dict.fromkeys(r.law for r in each)]
        for target, each in found.items()
    }


def _missed(row: Row) -> list[str]:
    """Return the laws that are meant to catch a fault and do not accuse it."""
    accusing = {law for law, _, _, accuses in row["results"] if accuses}
    return [law for law in row.get("meant", ()) if law not in accusing]


def _strongest(ratios: list[Ratio], law: str) -> Ratio:
    return max((each for each in ratios if each.law == law), key=_size)


def _row(kind: str, dtype: str, ratios: list[Ratio]) -> Mapping[str, Any]:
    """Return a line of the table: all ratios of a kind in a precision, none left out."""
    here = [each.ratio for each in ratios if (each.kind, each.dtype) == (kind, dtype)]
    return {
        "kind": KINDS[kind],
        "dtype": dtype,
        "targets": len({e.target for e in ratios if (e.kind, e.dtype) == (kind, dtype)}),
        "ratios": len(here),
        "percentiles": [*map(_number, np.percentile(here, [0, 50, 99, 100]))] if here else [],
        "above": [sum(r > n for r in here) for n in (1, 10, THRESHOLDS[dtype])],
    }


def _gap(sound: list[Ratio], caught: Mapping[str, list[Ratio]], dtype: str) -> tuple[str, str]:
    """Return the largest sound ratio that is not accused, and the least one that is caught."""
    held = [each.ratio for each in sound if each.dtype == dtype and not each.accuses]
    broken = [r.ratio for each in caught.values() for r in each if r.dtype == dtype]
    return _number(max(held, default=0.0)), _number(min(broken, default=0.0))


def _judged(rows: Sequence[Row]) -> Mapping[str, int]:
    """Return how many arrays of the study's own sound trainings could be judged, by dtype."""
    sound = [row for row in rows if "meant" not in row]
    return {dtype: sum(row["judged"].get(dtype, 0) for row in sound) for dtype in DTYPES}


def _figure(ratios: list[Ratio]) -> Figure:
    """Draw each ratio: sound ones above broken ones, and by other marks those on the wrong side."""
    groups: dict[tuple[str, str], dict[str, list[float]]] = {
        (what, dtype): {} for dtype in DTYPES for what in ("sound", "broken")
    }
    for each in ratios:
        what = "broken" if each.kind == "broken" else "sound"
        mark = _mark(each, what)
        here = groups[what, each.dtype].setdefault(mark, [])
        here.append(min(max(each.ratio, _LEAST), _MOST))

    def draw(canvas: Canvas, *_: object) -> None:
        axes = canvas.subplots()
        for row, ((what, dtype), marked) in enumerate(reversed(groups.items())):
            colour = "#0072b2" if what == "sound" else "#d55e00"
            for mark, values in marked.items():
                marker, other = _MARKS.get(mark, ("|", colour))
                size = 5 if mark else 14
                places = [row] * len(values)
                axes.plot(values, places, marker, color=other, markersize=size, mfc="none")
            axes.plot([THRESHOLDS[dtype]] * 2, [row - 0.4, row + 0.4], ":", color="#777777")
        for mark, (marker, colour) in _MARKS.items():
            style = {"color": colour, "markersize": 5, "mfc": "none", "label": _WORDS[mark]}
            axes.plot([], [], marker, **style)
        axes.set_yticks(range(len(groups)), [f"{what}, {d}" for what, d in reversed(groups)])
        axes.set_ylim(-0.6, len(groups) - 0.4)
        axes.set_xscale("log")
        axes.set_xlabel("deviation divided by the response; dotted: the limit")
        axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.3), ncols=2, frameon=False)
        plain(axes)

    shows = tuple(
        f"{key}{mark}{[_number(v) for v in values]}"
        for key, marked in groups.items()
        for mark, values in marked.items()
    )
    return Figure(FIGURE, (7.5, 3.3), shows, draw, edition=2)


def _mark(ratio: Ratio, what: str) -> str:
    """Return why a ratio is on the wrong side of the limit; nothing if it is not."""
    if what == "sound":
        return ratio.reason.kind if ratio.accuses else ""
    return "" if ratio.of_limit > 1 else _OTHER


def _number(value: float) -> str:
    """Return two digits: another machine rounds in another way."""
    return f"{float(f'{value:.1e}'):g}"
