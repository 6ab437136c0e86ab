from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import numpy as np

from symmetry.experiment.data.dataset import Dataset
from symmetry.experiment.settings import Settings
from symmetry.law.case import Case
from symmetry.report.filling import code, relative
from tests.studies.frameworks import report as words
from tests.studies.frameworks.entrant import parse_entrant
from tests.studies.frameworks.record import Comparison, TrainerPoint, TrainerRun
from tests.studies.frameworks.report import JSON, MARKDOWN, render_study
from tests.studies.frameworks.study import Study
from tests.studies.frameworks.task import Task, task_of_case

MACHINE = {"processor": "A processor (kind)", "environment": ""}
SETTINGS = Settings(4, 3)
CASE = Case(30, 20, 4, 5, 5.0, 3, "float64", "normals", "zero", 1)
CASE_TASK = task_of_case(CASE)
IDENTICAL = ((0, 1, 2, 3),)
SPLIT = ((0, 2), (1, 3))


def run(
    name: str,
    spreads: tuple[float | None, ...] = (0.0, 0.0, 0.0),
    *,
    seconds: float = 0.5,
    loss: float = 2.0,
    counted: bool = True,
    **changes: Any,
) -> TrainerRun:
    """Return a record in which units are apart as told: None means numbers that are not finite."""
    history = tuple(
        TrainerPoint(
            i,
            seconds * (9 if i == 1 else 1),
            loss / i,
            10.0 * i,
            value,
            None if value is None and i > 1 else 3 if value else 0,
        )
        for i, value in enumerate(spreads, start=1)
    )
    together = not any(spreads) or spreads[-1] == 0
    libraries = {"python": "3"}, ("OpenBLAS 1 (Haswell kernels): 2 threads", "note")
    groups = IDENTICAL if together else SPLIT
    record = TrainerRun(parse_entrant(name), history, groups, counted, *libraries)
    return dataclasses.replace(record, **changes)


def task(settings: Settings = SETTINGS, name: str = "MNIST") -> Task:
    samples, tests = (np.zeros((n, 784), np.uint8) for n in (60, 10))
    labels = samples[:, 0], tests[:, 0]
    files = {"file": "0" * 64}
    data = Dataset(name, files, (28, 28), samples, labels[0], tests, labels[1], 10)
    return Task(data, settings)


TASK = task()


def comparison(*runs: TrainerRun, task: Task = TASK, **options: Any) -> Comparison:
    return Comparison(task, options.pop("threads", None), runs, **options)


COMMAND = "python -m tests.studies.frameworks"
CORE = run("numba", seconds=0.25)
BROKEN = run("torch", (1e-7, 0.0, 0.75), seconds=1.0)


def markdown(study: Study) -> str:
    return render_study(study, COMMAND).texts[MARKDOWN]


def flat(text: str) -> str:
    return " ".join(text.split())


def whole() -> Study:
    trial = comparison(
        BROKEN,
        run("torch[deterministic]", (1e-7, 0.0, 0.75), seconds=2.0),
        run("torch[threads=1]", (1e-7, 1e-7, 1e-7)),
        run("torch[MKL_CBWR=AVX2]", seconds=1.5),
    )
    growth = comparison(CORE, run("numpy", (0.0, 1e-12, 0.9)), task=CASE_TASK, threads=1)
    main = comparison(CORE, BROKEN, left_out={"jax": "not installed"})
    return Study(MACHINE, main, (trial,), growth)


def test_the_finding_comes_first_and_says_who_split_and_who_did_not() -> None:
    text = flat(markdown(whole()))
    assert (
        "**4 hidden units trained on MNIST from weights that are all zero, and equal units have to "
        "stay equal, bit for bit. When they split: `numba` never; `torch` iteration 1.**"
    ) in text


def test_when_nothing_splits_the_report_says_so() -> None:
    study = Study(
        MACHINE,
        comparison(CORE, run("numpy")),
        (comparison(run("torch"), run("torch[deterministic]")),),
        comparison(run("numba"), task=CASE_TASK, threads=1),
    )
    text = flat(markdown(study))
    assert "When they split: `numba` never; `numpy` never.**" in text
    assert "identical that split without: none." in text
    assert "ulps |" not in text


def test_weights_that_never_moved_are_no_evidence() -> None:
    still = run("numpy", counted=False)
    assert "`numpy` not tested: nothing moved; `numba` never" in flat(
        markdown(Study(MACHINE, comparison(still, CORE)))
    )
    assert "identical" not in words.in_short(still, comparison(still))
    assert words.splits(run("numpy", counted=False, groups=((0,),))) == "a single unit"


def test_a_run_that_diverged() -> None:
    diverged = run("numpy", (0.0, None, None))
    assert words.splits(diverged) == "never up to iteration 1, then not finite"
    text = markdown(Study(MACHINE, comparison(CORE, run("numpy", (1e-7, None, None)))))
    assert "| iteration 1 | 3 ulps | even units \\| odd units | 1.0e-07 | 1.0e-07 |" in text


def test_a_run_on_the_terminal() -> None:
    found = comparison(CORE, BROKEN)
    assert words.in_short(CORE, found).endswith("units stay identical")
    assert words.in_short(BROKEN, found) == (
        "torch  loss 0.666667  accuracy  30.00 %  units split in iteration 1 by 3 ulps; "
        "in the end: even units | odd units, spread 0.75"
    )


def test_the_main_table() -> None:
    row = next(line for line in markdown(whole()).splitlines() if line.startswith("| `torch` |"))
    assert [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] == [
        "`torch`",
        "1.00",
        "4.00",
        "9.00",
        "0.666667",
        "30.00 %",
        "iteration 1",
        "3 ulps",
        r"even units \| odd units",
        "0.75",
        "0.75",
        "0",
    ]


def test_every_table_has_as_many_cells_as_its_head() -> None:
    lines = [line for line in markdown(whole()).splitlines() if line.startswith("|")]
    assert len(lines) > 15
    width = 0
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        cells = len(re.split(r"(?<!\\)\|", line))
        if following.startswith("|--"):
            width = cells
        assert cells == width, line


def test_the_settings_that_helped_are_named() -> None:
    text = flat(markdown(whole()))
    assert "identical that split without: `torch[MKL_CBWR=AVX2]` (4 units)." in text
    assert "| `torch[deterministic]` | 2.00 | 4.00 | 18.0 |" in text
    kept = run("numpy[OPENBLAS_CORETYPE=Haswell]")
    assert comparison(run("numpy"), kept).helped == ()
    assert comparison(run("numpy", (0.0, 0.0, 1e-9)), kept).helped == (kept,)
    still = dataclasses.replace(kept, counted=False)
    assert comparison(run("numpy", (0.0, 0.0, 1e-9)), still).helped == ()


def test_a_case_is_shown() -> None:
    text = flat(markdown(whole()))
    assert "## How one ulp becomes another network" in text
    assert text.count(CASE.to_json()) == 1
    alone = markdown(Study(MACHINE, comparison(CORE, task=CASE_TASK, threads=1)))
    assert alone.count(CASE.to_json()) == 1
    assert "on a generated case from" in flat(alone)


def test_the_environment() -> None:
    text = flat(markdown(whole()))
    assert "| processor | A processor (kind) |" in text
    assert "| environment | none |" in text
    assert "OpenBLAS 1 (Haswell kernels): 2 threads; note" in text
    assert "| `numba`, `torch`, `torch[deterministic]`, `torch[threads=1]`, " in text
    assert "`numba` (case), `numpy` (case) | python 3 |" in text
    assert "Left out: `jax` (not installed)." in text


def test_a_step_alone_is_not_compared_in_speed() -> None:
    study = Study(MACHINE, comparison(CORE, run("a.py:mine", seconds=0.01)))
    text = markdown(study)
    assert "| `a.py:mine` | 0.0100 | - |" in text
    assert "| `numba` | 0.250 | 1.00 |" in text
    assert "of it the step alone is timed" in flat(text)


def test_one_iteration_has_no_times_to_compare() -> None:
    once = task(Settings(4, 1))
    report = render_study(Study(MACHINE, comparison(run("numpy", (0.0,)), task=once)), COMMAND)
    assert "| `numpy` | - | - | 4.50 |" in report.texts[MARKDOWN]
    assert [figure.is_current(figure.png()) for figure in report.figures] == [True]


def test_the_line_that_repeats_it() -> None:
    line = "python -m tests.studies.frameworks numpy --threads 1"
    text = render_study(whole(), line).texts[MARKDOWN]
    assert f"repeats the comparison:\n\n```bash\n{line}\n```\n" in text


def test_names_cannot_break_the_markdown() -> None:
    assert code("a|b`c\n") == "`a?b?c?`"
    strange = task(name="a|b")
    assert "on `a?b` from" in flat(markdown(Study(MACHINE, comparison(CORE, task=strange))))


def test_numbers_for_people() -> None:
    assert [relative(v) for v in (None, 0.0, 1e-9, 0.1, 1.234)] == [
        "-", "0", "1.0e-09", "0.10", "1.23",
    ]  # fmt: skip
    assert [words.seconds(v) for v in (None, 0.000123456, 1.0, 123.4)] == [
        "-", "0.000123", "1.00", "123",
    ]  # fmt: skip


def test_json_has_every_iteration() -> None:
    record = json.loads(render_study(whole(), COMMAND).texts[JSON])
    assert [part["part"] for part in record["comparisons"]] == ["frameworks", "trial", "growth"]
    main, _, growth = record["comparisons"]
    assert growth["task"]["case"]["n"] == 30
    assert main["left_out"] == {"jax": "not installed"}
    torch = main["runs"][1]
    assert (torch["trainer"], torch["timed"], torch["seconds"]) == ("torch", "iteration", 1.0)
    assert (torch["split"], torch["groups"]) == (1, "even units | odd units")
    assert len(torch["history"]) == 3
    diverged = run("numpy", (0.0, None, None), loss=float("nan"))
    text = render_study(Study(MACHINE, comparison(diverged)), COMMAND).texts[JSON]
    assert json.loads(text)["comparisons"][0]["runs"][0]["history"][1]["loss"] == "nan"


def test_figures_are_drawn_whatever_happened() -> None:
    everything_identical = comparison(CORE, run("numpy"))
    diverged = comparison(run("numpy", (None, None, None)), CORE)
    for study in (whole(), Study(MACHINE, everything_identical), Study(MACHINE, diverged)):
        for figure in render_study(study, COMMAND).figures:
            assert figure.is_current(figure.png())


def test_a_figure_depends_on_what_it_shows() -> None:
    def digest(*runs: TrainerRun) -> str:
        return render_study(Study(MACHINE, comparison(*runs)), COMMAND).figures[0].digest

    assert digest(CORE, BROKEN) == digest(CORE, BROKEN)
    assert digest(CORE, BROKEN) != digest(CORE, run("torch", (1e-7, 0.0, 0.76)))
