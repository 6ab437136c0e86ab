from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest

from symmetry.checker.case import Case
from symmetry.comparison.libraries import Libraries, Library
from symmetry.comparison.machine import Machine
from symmetry.comparison.record import Comparison, LeftOut, TrainerPoint, TrainerRun
from symmetry.comparison.study import Study
from symmetry.comparison.subject import parse_subject
from symmetry.comparison.task import TaskFacts
from symmetry.report import comparison_words as words
from symmetry.report.comparison import JSON, MARKDOWN, render_study
from symmetry.report.templates import code, relative
from symmetry.units.follow import Split
from symmetry.watch import Outcome

MACHINE = Machine("A processor (kind)", ("avx2", "fma"), 2, "System x", {"OMP_NUM_THREADS": "2"})
FACTS = TaskFacts("MNIST", {"file": "0" * 64}, None, 60, 10, 784, 4, 10, 3, 0.01, "float32")
CASE = Case(30, 20, 4, 5, 5.0, 3, "float64", "normals", "zero", 1)
CASE_FACTS = TaskFacts("generated normals", {}, CASE, 30, 30, 20, 4, 5, 3, 5.0, "float64")
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
    left = next((i for i, value in enumerate(spreads, start=1) if value), None)
    compared = sum(value is not None for value in spreads) or 1
    split = None if left is None else Split(left, "w1", (1, 0), ((0, 1), (0, 0)), 3, 0.5, 3, SPLIT)
    together = left is None or spreads[-1] == 0
    columns = Outcome(
        "symmetry/w1-columns", split is None, counted, compared, 3, 1 if together else 2, split
    )
    history = tuple(
        TrainerPoint(
            i,
            seconds * (9 if i == 1 else 1),
            loss / i,
            10.0 * i,
            value,
            3 if value else 0,
            value,
            0.5,
        )
        for i, value in enumerate(spreads, start=1)
    )
    record = TrainerRun(
        subject=parse_subject(name),
        history=history,
        columns=columns,
        rows=dataclasses.replace(columns, name="symmetry/w2-rows", split=None),
        groups=IDENTICAL if together else SPLIT,
        libraries=Libraries({"python": "3"}, (Library("OpenBLAS", "1", "Haswell", 2),), ("note",)),
    )
    return dataclasses.replace(record, **changes)


def comparison(*runs: TrainerRun, facts: TaskFacts = FACTS, **options: Any) -> Comparison:
    return Comparison(facts, options.pop("threads", None), runs, **options)


CORE = run("numba", seconds=0.25)
BROKEN = run("torch", (1e-7, 0.0, 0.75), seconds=1.0)


def markdown(study: Study) -> str:
    return render_study(study).texts[MARKDOWN]


def flat(text: str) -> str:
    return " ".join(text.split())


def whole() -> Study:
    trial = comparison(
        BROKEN,
        run("torch[deterministic]", (1e-7, 0.0, 0.75), seconds=2.0),
        run("torch[threads=1]", (1e-7, 1e-7, 1e-7)),
        run("torch[MKL_CBWR=AVX2]", seconds=1.5),
    )
    growth = comparison(CORE, run("numpy", (0.0, 1e-12, 0.9)), facts=CASE_FACTS, threads=1)
    main = comparison(CORE, BROKEN, left_out=(LeftOut("jax", "not installed"),))
    return Study(MACHINE, main, (trial,), growth)


def test_the_finding_comes_first_and_says_who_left_and_who_did_not() -> None:
    text = flat(markdown(whole()))
    assert (
        "**`numba` and `torch` trained 4 hidden units on MNIST from weights that are all zero, so "
        "that the units have to stay identical. Units split in 1 of 2: `torch` in iteration 1. "
        "`numba` kept all 4 identical, bit for bit, through 3 iterations.**"
    ) in text


def test_when_nothing_breaks_the_report_says_so() -> None:
    study = Study(
        MACHINE,
        comparison(CORE, run("numpy")),
        (comparison(run("torch"), run("torch[deterministic]")),),
        comparison(run("numba"), facts=CASE_FACTS, threads=1),
    )
    text = flat(markdown(study))
    assert "`numba` and `numpy` kept all 4 identical, bit for bit, through 3 iterations." in text
    assert "There was nothing to restore for `torch[deterministic]` (4 units)." in text
    assert "On this machine no trainer told the hidden units of this case apart" in text
    assert "split in" not in text


def test_when_all_break_the_worst_is_described() -> None:
    found = words.finding(comparison(BROKEN, run("jax", (0.0, 1e-9, 1e-9))))
    assert "Units split in 2 of 2" in found
    assert "`torch` in iteration 1 and `jax` in iteration 2" in found
    assert found.endswith(
        "in the end the groups of identical units were “even units | odd units”, a spread of 0.75."
    )


def test_weights_that_never_moved_are_no_evidence() -> None:
    still = run("numpy", counted=False)
    assert words.finding(comparison(still, CORE)).count("kept all 4") == 1
    assert "Not tested: `numpy`, nothing moved." in words.finding(comparison(still, CORE))
    assert words.splits(still) == "not tested: nothing moved"
    assert "identical" not in words.in_short(still, comparison(still))
    single = run("numpy", counted=False, groups=((0,),))
    assert words.splits(single) == "a single unit"


def test_a_run_that_diverged() -> None:
    diverged = run("numpy", (0.0, 0.0, None))
    assert words.splits(diverged) == "never up to iteration 2, then not finite"
    assert "for as long as all numbers were finite" in words.finding(comparison(diverged, BROKEN))
    broken = run("numpy", (1e-7, None, None))
    text = markdown(Study(MACHINE, comparison(CORE, broken)))
    assert "a spread of 1.0e-07" in flat(text)


def test_units_that_are_identical_again() -> None:
    assert words.story(run("numpy", (0.0, 1e-9, 0.0))) == (
        "The units of `numpy` split in iteration 2, by 3 ulps; in the end they were identical "
        "again."
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
        "2",
        r"even units \| odd units",
        "0.75",
        "0.75, 0.50",
        "0",
    ]


def test_every_table_has_as_many_cells_as_its_head() -> None:
    lines = [line for line in markdown(whole()).splitlines() if line.startswith("|")]
    assert len(lines) > 20
    width = 0
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        cells = len(re.split(r"(?<!\\)\|", line))
        if following.startswith("|--"):
            width = cells
        assert cells == width, line


def test_what_settings_did_and_cost() -> None:
    text = flat(markdown(whole()))
    assert (
        "The symmetry was restored by `torch[MKL_CBWR=AVX2]` (4 units, 1.50 times the time)."
        in text
    )
    assert (
        "No bit of what was compared was changed by `torch[deterministic]` (4 units). Bits were "
        "changed, but units split all the same, with `torch[threads=1]` (4 units)."
    ) in text
    assert "| `torch[deterministic]` | changes nothing | iteration 1 |" in text
    assert "| 2.00 | 2.00 |" in text
    assert "| `MKL_CBWR` | Intel MKL:" in text


def test_settings_can_break_the_symmetry() -> None:
    trial = comparison(run("numpy"), run("numpy[OPENBLAS_CORETYPE=Haswell]", (0.0, 0.0, 1e-9)))
    assert words.trials_in_words([trial]) == (
        "The symmetry was broken by `numpy[OPENBLAS_CORETYPE=Haswell]` (4 units)."
    )


def test_how_one_ulp_grew() -> None:
    text = flat(markdown(whole()))
    assert "## How one ulp becomes another network" in text
    assert CASE.to_json() in text
    assert "| `numpy` | 2 | 2 | 3 | 3 | 3 | 3 | 3 |" in text
    assert "whose units stay identical, ends with a loss of 0.666667" in text


def test_the_environment() -> None:
    text = flat(markdown(whole()))
    assert "| processor | A processor (kind) |" in text
    assert "| vector instructions | avx2 fma |" in text
    assert "`OMP_NUM_THREADS=2`" in text
    assert "OpenBLAS 1 (Haswell kernels): 2 threads; note" in text
    assert "Left out: `jax` (not installed)." in text


def test_a_step_alone_is_not_compared_in_speed() -> None:
    study = Study(MACHINE, comparison(CORE, run("a.py:mine", seconds=0.01)))
    text = markdown(study)
    assert "| `a.py:mine` | 0.0100 | - |" in text
    assert "| `numba` | 0.250 | 1.00 |" in text
    assert "of it the step alone is timed" in flat(text)


def test_one_iteration_has_no_times_to_compare() -> None:
    facts = dataclasses.replace(FACTS, iterations=1)
    report = render_study(Study(MACHINE, comparison(run("numpy", (0.0,)), facts=facts)))
    assert [figure.name for figure in report.figures] == ["frameworks-spread.png"]
    assert "There was a single iteration" in report.texts[MARKDOWN]


@pytest.mark.parametrize(
    ("study", "command"),
    [
        (whole(), "symmetry compare"),
        (
            Study(MACHINE, comparison(run("numpy"), run("torch[A=1]"), threads=1)),
            (
                "symmetry compare numpy 'torch[A=1]' --hidden 4 --iterations 3 --threads 1 "
                "--output REPORTS"
            ),
        ),
        (
            Study(
                MACHINE,
                comparison(
                    CORE,
                    facts=dataclasses.replace(
                        FACTS, data="other", classes=3, hidden=5, dtype="float64"
                    ),
                ),
            ),
            (
                "symmetry compare numba --data DIR --classes 3 --hidden 5 --iterations 3 "
                "--dtype float64 --output REPORTS"
            ),
        ),
        (
            Study(MACHINE, growth=comparison(CORE, facts=CASE_FACTS, threads=1)),
            f"symmetry compare numba --case '{CASE.to_json()}' --output REPORTS",
        ),
    ],
)
def test_the_line_that_repeats_it(study: Study, command: str) -> None:
    assert words.command(study) == command


def test_names_cannot_break_the_markdown() -> None:
    assert code("a|b`c\n") == "`a?b?c?`"
    facts = dataclasses.replace(FACTS, data="a|b")
    assert "on `a?b` from" in words.finding(comparison(CORE, BROKEN, facts=facts))


def test_numbers_for_people() -> None:
    assert [relative(v) for v in (None, 0.0, 1e-9, 0.1, 1.234)] == [
        "-", "0", "1.0e-09", "0.10", "1.23",
    ]  # fmt: skip
    assert [words.seconds(v) for v in (None, 0.000123456, 1.0, 123.4)] == [
        "-", "0.000123", "1.00", "123",
    ]  # fmt: skip


def test_json_has_every_iteration() -> None:
    record = json.loads(render_study(whole()).texts[JSON])
    assert [part["part"] for part in record["comparisons"]] == ["frameworks", "trial", "growth"]
    main, _, growth = record["comparisons"]
    assert growth["task"]["case"]["n"] == 30
    assert main["left_out"] == [{"name": "jax", "reason": "not installed"}]
    torch = main["runs"][1]
    assert (torch["trainer"], torch["timed"], torch["ratio"]) == ("torch", "iteration", 4.0)
    assert torch["w1"]["groups"] == "even units | odd units"
    assert len(torch["history"]) == 3
    diverged = run("numpy", (0.0, None, None), loss=float("nan"))
    text = render_study(Study(MACHINE, comparison(diverged))).texts[JSON]
    assert json.loads(text)["comparisons"][0]["runs"][0]["history"][1]["loss"] == "nan"


def test_figures_are_drawn_whatever_happened() -> None:
    everything_identical = comparison(CORE, run("numpy"))
    diverged = comparison(run("numpy", (None, None, None)), CORE)
    for study in (whole(), Study(MACHINE, everything_identical), Study(MACHINE, diverged)):
        for figure in render_study(study).figures:
            assert figure.is_current(figure.png())


def test_a_figure_depends_on_what_it_shows() -> None:
    def digest(*runs: TrainerRun) -> str:
        return render_study(Study(MACHINE, comparison(*runs))).figures[0].digest

    assert digest(CORE, BROKEN) == digest(CORE, BROKEN)
    assert digest(CORE, BROKEN) != digest(CORE, run("torch", (1e-7, 0.0, 0.76)))
