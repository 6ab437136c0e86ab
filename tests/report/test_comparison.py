"""The report of a comparison: the same bytes each time, and a picture of watched modules."""

from __future__ import annotations

from symmetry.comparison.outcome import (
    Compared,
    ComparedTraining,
    DtypeResult,
    FirstDifference,
    Ratio,
)
from symmetry.report.comparison import MARKDOWN, render_compared

SAME = ComparedTraining("a", True, results=(DtypeResult("float32", 1, "model.w", 0.5, 30.0, 4, 2),))
ANOTHER = ComparedTraining(
    "b",
    False,
    first=FirstDifference("backward", "fc", "train.py", 7, 1, "the backward of step 1 in fc"),
    results=(DtypeResult("float64", 1, "model.w", 1e9, 1000.0, 4, 2),),
    ratios=(
        Ratio(1, "data", "input 0", 0.0),
        Ratio(1, "forward", "fc input", 0.0),
        Ratio(1, "forward", "fc", 0.25),
        Ratio(1, "loss", "", 0.5),
        Ratio(1, "backward", "fc[1]", 1e6),
        Ratio(1, "backward", "fc", 2e6),
        Ratio(1, "backward", "", float("inf")),
    ),
    watched="float64",
)


def test_what_is_written():
    report = render_compared(Compared("ref", (SAME, ANOTHER)), "symmetry compare ref a b")
    (figure,) = report.figures
    phases, modules, ratios, limit, dtype = figure.shows
    assert phases == ["forward", "loss", "backward", "backward"]
    assert modules == ["fc", "loss", "fc", "(model)"]
    assert ratios == ["0.25", "0.5", "2e+06", "inf"]
    assert (limit, dtype, figure.name) == ("1000", "float64", "comparison-2.png")
    text = report.texts[MARKDOWN]
    assert "a is the same training as ref, up to rounding." in text
    assert "train.py:7: b is another training than ref." in text
    assert "- first: the backward of step 1 in fc\n" in text
    assert text.count("![Ratios by module](") == 1
    assert render_compared(Compared("ref", (SAME, ANOTHER)), "symmetry compare ref a b") == report
    assert figure.png() == figure.png()
