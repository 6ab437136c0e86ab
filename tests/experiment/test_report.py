"""The report of the experiment: its words for each kind of run, its pictures and its JSON.

``symmetry run --check`` holds all bytes of the report that is committed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import subprocess
import sys
from functools import cache
from typing import Any

import numpy as np
import pytest

from symmetry.experiment import run as experiment
from symmetry.experiment.report import experiment_figures, render_experiment
from symmetry.experiment.run import Experiment, run_experiment
from symmetry.experiment.settings import Settings
from symmetry.report.files import Figure, kept_digest
from symmetry.report.filling import fill_paragraphs
from tests.cli.process import environment
from tests.conftest import slow
from tests.tiny import FirstRowCore, LastUnitCore, LivingDeadCore, tiny_data


def nothing(*_: Any) -> None:
    pass


def figure(*shows: Any, **others: Any) -> Figure:
    return Figure("f.png", (1.0, 0.5), shows, others.pop("draw", nothing), **others)


def test_the_digest_is_the_same_on_every_machine() -> None:
    shown = figure(np.array([[0.1, 2]], np.float32), ["zero start"], 11.35, np.arange(3))
    assert shown.digest == "e901278866110162d6db59363f003b4c221faeade81cc00c8af518592a6720b9"


def test_the_digest_depends_on_values_not_on_how_they_are_stored() -> None:
    values = np.array([[1, 2], [3, 4]], np.float32)
    same = [values.astype(np.float64), np.asfortranarray(values), values.astype(">f4")]
    assert {figure(other).digest for other in same} == {figure(values).digest}
    assert figure(np.arange(3, dtype=np.int32)).digest == figure(np.arange(3)).digest


def test_the_digest_depends_on_everything_shown() -> None:
    value = np.array([1.0, 2.0])
    others = [
        figure(np.array([1.0, np.nextafter(2.0, 3.0)])),
        figure(np.array([[1.0, 2.0]])),
        figure(np.array([1.0]), np.array([2.0])),
        figure(value, "a"),
        figure(value, "b"),
        figure(value, ["a", "b"]),
        figure(value, None),
        figure(value, edition=2),
        Figure("g.png", (1.0, 0.5), (value,), nothing),
        Figure("f.png", (1.0, 0.6), (value,), nothing),
    ]
    assert len({other.digest for other in others} | {figure(value).digest}) == 1 + len(others)


def test_a_picture_carries_its_digest() -> None:
    shown = figure(np.arange(3))
    png = shown.png()
    assert kept_digest(png) == shown.digest
    assert shown.is_current(png)
    assert not figure(np.arange(4)).is_current(png)


def test_any_damage_is_noticed() -> None:
    shown = figure(np.arange(3))
    png = shown.png()
    for place in range(0, len(png), 7):
        damaged = bytearray(png)
        damaged[place] ^= 1
        assert not shown.is_current(bytes(damaged))
    for length in range(0, len(png), 11):
        assert not shown.is_current(png[:length])
    assert not shown.is_current(png + b"\0")


def test_settings_of_the_reader_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    def draw(canvas: Any) -> None:
        canvas.subplots().plot([0, 1])

    png = figure(draw=draw).png()
    monkeypatch.setitem(matplotlib.rcParams, "lines.linewidth", 20.0)
    monkeypatch.setitem(matplotlib.rcParams, "figure.facecolor", "black")
    assert figure(draw=draw).png() == png
    assert matplotlib.rcParams["figure.facecolor"] == "black"  # and the other way round


@pytest.mark.parametrize("backend", ["nowhere", slow("module://nowhere.backend"), slow("pdf")])
def test_a_backend_that_the_environment_names_is_neither_used_nor_lost(backend: str) -> None:
    program = (
        "import os, numpy\n"
        "from symmetry.report.files import Figure\n"
        "figure = Figure('f.png', (1, 1), (), lambda canvas: canvas.subplots())\n"
        "assert figure.is_current(figure.png())\n"
        "import matplotlib\n"
        "print(os.environ['MPLBACKEND'], dict.__getitem__(matplotlib.rcParams, 'backend'))\n"
    )
    variables = environment(MPLBACKEND=backend)
    command = [sys.executable, "-c", program]
    named, set_ = subprocess.check_output(command, env=variables, text=True).strip().split(" ", 1)
    assert named == backend
    assert backend == "nowhere" or set_ == backend


SETTINGS = Settings(hidden=4, iterations=3)


@cache
def record(**changes: Any) -> Experiment:
    """Return the record of a small run; what is no setting says which data."""
    names = {field.name for field in dataclasses.fields(Settings)}
    settings = {name: changes.pop(name) for name in names & set(changes)}
    return run_experiment(tiny_data(**changes), dataclasses.replace(SETTINGS, **settings))


def broken(core: type, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    monkeypatch.setattr(experiment, "Core", core)
    return run_experiment(tiny_data(), SETTINGS)


def markdown(run: Experiment) -> str:
    return render_experiment(run).texts["mnist.md"]


def flat(run: Experiment) -> str:
    """Return the report with every run of blanks a single space, to look for sentences."""
    return " ".join(markdown(run).split())


def as_json(run: Experiment) -> Any:
    return json.loads(render_experiment(run).texts["mnist.json"], parse_constant=pytest.fail)


def test_long_histories_are_thinned_out() -> None:
    lines = re.findall(r"^\| (\d+) \| \d\.\d{6} \|", markdown(record(iterations=45)), re.MULTILINE)
    assert lines == ["1", "4", "8", "12", "16", "20", "24", "28", "32", "36", "40", "44", "45"]


def test_never_lit_pixels_are_counted() -> None:
    text = flat(record())
    assert "Of 6 pixels, 1 are zero in all 12 training images." in text
    assert "exactly zero at the end: 1 of these 1, and 0 of the other 5." in text
    assert "Of 6 pixels, 0 are zero" in flat(record(dead=False))


def test_settings_checksums_and_the_line_that_repeats_it() -> None:
    run = record(seed=5, lr=0.25, dtype="float64")
    text = markdown(run)
    w1, w2 = run.last
    assert f"{hashlib.sha256(w1.tobytes()).hexdigest()}  w1 (7x4)" in text
    assert f"{hashlib.sha256(w2.tobytes()).hexdigest()}  w2 (5x3)" in text
    assert f"{'0' * 64}  train-images-idx3-ubyte\n" in text
    assert (
        "```sh\nsymmetry run --data DIR --classes 3 --hidden 4 --iterations 3 --lr 0.25 "
        "--dtype float64 --seed 5 --output REPORTS\n```\n"
    ) in text


VARIANTS: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"init": "random"},
        [
            "# Starting at random: 4 hidden units",
            "its units are expected to differ: in the end `w1` has 4 distinct columns",
            "this run is one itself",
            "not judged: the units did not start identical",
            "differ from unit to unit, so there is no feature",
            "stays where it started, here at a random number",
            "4 values",
            "no collapsed network was trained beside it",
            "uniform between -0.01 and 0.01, seed 0",
            "--init random",
        ],
    ),
    (
        {"collapsed": True},
        [
            "identical by construction, which is no evidence",
            "only the collapsed network was trained",
            "holds by construction",
            "There is no full network beside it",
            "--collapsed",
        ],
    ),
    (
        {"collapsed": True, "init": "random"},
        ["holds by construction", "--init random --collapsed", "uniform between -0.01 and 0.01"],
    ),
    (
        {"control": False},
        [
            "There is no control, a run from random weights: `--no-control` leaves it out.",
            "| control | none |",
            "--no-control",
        ],
    ),
    (
        {"hidden": 1},
        [
            "# Starting off wrong: a single hidden unit",
            "with a single unit there is nothing to tell apart",
            "vacuous",
            "1 column of `w1`",
        ],
    ),
    (
        {"classes": 1},
        [
            "proves nothing",
            "vacuous",
            "the first iteration leaves 1 distinct column out of 1",
            "still zero, so there is no feature",
        ],
    ),
    (
        {"iterations": 1},
        [
            "for 1 iteration, and after every one of them all 4 columns",
            "still zero, so there is no feature",
        ],
    ),
    (
        {"balanced": True},
        ["Here every class has the same number", "differ by nothing but rounding"],
    ),
    (
        {"lr": 1e38, "iterations": 9},
        [
            "until they ceased to be finite in iteration 2 all 4 columns",
            "The weights are no longer finite after iteration 2",
            "not finite, so there is no feature that all have",
        ],
    ),
    (
        {},
        [
            "The images of this data set have 3x2 pixels, not 28x28",
            "`w1` has no rows 120 to 130: it has 7 rows.",
            "`w2` has no rows 120 to 130: it has 5 rows.",
            "`symmetry check` tries the same invariants",
        ],
    ),
    ({"classes": 40, "train": 90}, ["The classes are too many to be listed here."]),
    (
        {"shape": (28, 28)},
        ["![The weights of a hidden unit", "What each of the 4 hidden units looks for"],
    ),
    ({"shape": (28, 28), "hidden": 1}, ["What the hidden unit looks for"]),
]


@pytest.mark.parametrize(("changes", "phrases"), VARIANTS, ids=lambda value: str(value)[:40])
def test_sections_that_do_not_apply_say_so(changes: dict[str, Any], phrases: list[str]) -> None:
    run = record(**changes)
    text = flat(run)
    for phrase in phrases:
        assert phrase in text
    assert "violated" not in text
    assert not re.search(r"\bNone\b|Undefined|nan\b.*%", text)
    shown = re.findall(r"!\[[^\]]+\]\(([^)]*\.png)\)", markdown(run))
    assert shown == [figure.name for figure in experiment_figures(run)]


def test_figures_change_with_what_they_show() -> None:
    digests = {f.name: f.digest for f in experiment_figures(record())}
    again = run_experiment(tiny_data(), SETTINGS)
    assert digests == {f.name: f.digest for f in experiment_figures(again)}
    others = {f.name: f.digest for f in experiment_figures(record(iterations=4))}
    assert digests["mnist-curves.png"] != others["mnist-curves.png"]
    assert digests["mnist-w1.png"] != others["mnist-w1.png"]


@pytest.mark.parametrize(
    ("core", "phrases"),
    [
        (
            LastUnitCore,
            [
                "w1-columns` is violated in iteration 2 (the last 1 of 4), by up to",
                "**violated in iteration 2 (the last 1 of 4)**",
            ],
        ),
        (
            FirstRowCore,
            [
                "and `symmetry/w2-rows` is violated in iteration 1 (the first 1 of 4), by up to",
                "**violated in iteration 1 (the first 1 of 4)**",
            ],
        ),
        (
            LivingDeadCore,
            [
                "and `symmetry/dead-inputs` is violated in iteration 2, by up to",
                "**violated in iteration 2**",
            ],
        ),
    ],
)
def test_a_violation_is_reported(
    core: type, phrases: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = broken(core, monkeypatch)
    text = flat(run)
    assert "# Starting off wrong: equal hidden units became different" in text
    for phrase in phrases:
        assert phrase in text
    assert not re.search(r"is one unit written down|one unit at work|stripes", text)
    assert [i["holds"] for i in as_json(run)["invariants"]].count(False) >= 1


def test_json_has_the_promised_shape() -> None:
    run = record()
    data = as_json(run)
    assert list(data) == [
        "dataset",
        "config",
        "bits",
        "history",
        "weights",
        "invariants",
        "control",
        "collapsed",
    ]
    assert data["dataset"] == {
        "name": "tiny",
        "files": {"train-images-idx3-ubyte": "0" * 64},
        "train": 12,
        "test": 5,
    }
    assert data["config"] == {
        "hidden": 4,
        "iterations": 3,
        "lr": 0.01,
        "dtype": "float32",
        "init": "zero",
        "seed": 0,
        "collapsed": False,
    }
    assert data["history"] == [dataclasses.asdict(point) for point in run.history]
    assert data["weights"] == {
        "w1_sha256": hashlib.sha256(run.last[0].tobytes()).hexdigest(),
        "w2_sha256": hashlib.sha256(run.last[1].tobytes()).hexdigest(),
    }
    assert data["invariants"] == [
        {"name": name, "holds": True, "iterations": 3, "max_ulps": 0, "distinct": 1}
        for name in ("symmetry/w1-columns", "symmetry/w2-rows", "symmetry/dead-inputs")
    ]
    assert run.control is not None
    assert data["control"] == {
        "seed": 0,
        "history": [dataclasses.asdict(point) for point in run.control.history],
        "distinct": 4,
    }
    assert run.differences is not None
    assert data["collapsed"] == run.differences


def test_numbers_that_json_has_not_are_strings() -> None:
    run = record()
    history = (
        dataclasses.replace(run.history[0], loss=float("inf")),
        dataclasses.replace(run.history[1], loss=float("-inf")),
        dataclasses.replace(run.history[2], loss=float("nan")),
    )
    data = as_json(dataclasses.replace(run, history=history))
    assert [point["loss"] for point in data["history"]] == ["inf", "-inf", "nan"]


@pytest.mark.parametrize("name", ["a|b", "`x`", "tab\there", "\udcff", "<b>", "new\nline"])
def test_a_strange_name_of_the_data_set_does_no_harm(name: str) -> None:
    data = dataclasses.replace(record().data, name=name)
    run = dataclasses.replace(record(), data=data)
    row = next(line for line in markdown(run).splitlines() if line.startswith("| data |"))
    assert row.count("|") == 3
    assert as_json(run)["dataset"]["name"] == name
    render_experiment(run).texts["mnist.md"].encode()


def test_paragraphs_are_filled_and_other_blocks_are_not() -> None:
    words = " ".join(["word"] * 30)
    text = (
        f"\n\n# {words}\n\n\n{words}\n  next line\n\n| a |\n| b |\n\n```\nx\n  y\n```\n\n12.50\n%\n"
    )
    filled = fill_paragraphs(text)
    assert filled.startswith(f"# {words}\n\nword word")
    assert "\n\n| a |\n| b |\n\n```\nx\n  y\n```\n\n12.50 %\n" in filled
    assert max(len(line) for line in filled.splitlines()[1:]) <= 100
