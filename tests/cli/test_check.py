from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from symmetry.law.case import Case
from symmetry.report.about import topics
from symmetry.steps.drawn_cases import draw_cases
from symmetry.targets.kinds import invariants
from tests.catalogues import STEPS as CATALOGUE
from tests.catalogues import select
from tests.cli.inside import symmetry
from tests.cli.process import SYMMETRY, assert_one_line, environment
from tests.cli.process import symmetry as process
from tests.conftest import slow

STEPS = """
import numpy as np
from symmetry.network.core import step as sound

def broken(x, y, w1, w2, lr):
    w1, w2 = sound(x, y, w1, w2, lr)
    w2[-1] *= 1.5
    return w1, w2

def rounded(x, y, w1, w2, lr):
    w1, w2 = sound(x, y, w1, w2, lr)
    w2[-1] = np.where(w2[-1] == 0, 0, np.nextafter(w2[-1], np.inf, dtype=w2.dtype))
    return w1, w2

def frozen(x, y, w1, w2, lr):
    return w1, w2

def exits(x, y, w1, w2, lr):
    import os
    if w1.any():
        os._exit(0)
    return sound(x, y, w1, w2, lr)

def raises(x, y, w1, w2, lr):
    raise ValueError("no")

def noisy(x, y, w1, w2, lr):
    w1, w2 = sound(x, y, w1, w2, lr)
    return w1 + np.random.default_rng().normal(size=w1.shape).astype(w1.dtype), w2

def slow(x, y, w1, w2, lr):
    import time
    open("started", "w").close()
    time.sleep(60)
    return w1, w2

single = lambda *arguments: sound(*arguments)
single.dtypes = ("float32",)
"""
OWN = select(["symmetry/*"])
CASE = Case(3, 2, 4, 3, 0.5, 2, "float32", "unit", "scaled", 0)
W2_ROWS = ("--only", "symmetry/w2-rows", "--dtype", "float32", "--examples", 20)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "steps.py").write_text(STEPS)
    return tmp_path


def results(folder: Path) -> dict[tuple[str, str], dict]:
    record = json.loads((folder / "out.json").read_text())
    return {(result["name"], result["dtype"]): result for result in record["results"]}


def test_the_core_by_default(tmp_path: Path) -> None:
    arguments = ("--exact", "--examples", 10, "--json", "out.json", "--output", "new/reports")
    finished = symmetry("check", "--verbose", *arguments, cwd=tmp_path)
    assert finished.status == 0
    (line,) = finished.err.splitlines()  # and no progress
    assert line.startswith("no script in this folder trains, so numba is checked")
    lines = finished.out.splitlines()
    number = len(CATALOGUE)
    heading = f"numba: {number} invariants on 10 cases in float32 and in float64, seed 0, exactly"
    assert lines[0] == heading
    assert lines[1].startswith("one BLAS and OpenMP thread: ")
    for place, invariant in enumerate(CATALOGUE):
        for dtype, text in zip(("float32", "float64"), lines[3 + 2 * place :], strict=False):
            assert text.split()[:3] == [invariant.name, dtype, "holds"]
    assert lines[3 + 2 * number :] == [
        "",
        "wrote out.json",
        "wrote new/reports/invariants.md",
        f"sound ({number} checks; verdicts: {2 * number} hold)",
    ]
    assert len(json.loads((tmp_path / "out.json").read_text())["judged"]) == number
    report = (tmp_path / "new/reports/invariants.md").read_text()
    assert (
        "`symmetry check --verbose --exact --examples 10 --json out.json --output new/reports`"
        in report
    )


def test_a_violation_is_told_and_can_be_repeated(folder: Path) -> None:
    arguments = ("check", "--verbose", "steps:broken", *W2_ROWS, "--line", "out.json")
    finished = symmetry(*arguments, cwd=folder)
    assert finished.status == 1
    lines = finished.out.splitlines()
    assert any(t.startswith("symmetry/w2-rows in float32: violated, by more than") for t in lines)
    assert lines[-1] == (
        "1 invariant violated: look at symmetry/w2-rows (1 check; verdicts: 1 violated)"
    )
    result = results(folder)["symmetry/w2-rows", "float32"]
    assert result["verdict"] == "violated"
    assert (result["case"]["n"], result["case"]["h"], result["iteration"]) == (1, 2, 1)
    assert sorted(result["units"]) == [0, 1]
    assert result["rounding"] is False

    command = next(line for line in lines if line.startswith("  reproduce  ")).split(maxsplit=1)[1]
    assert command == result["command"]
    again = symmetry(*shlex.split(command)[1:], "--verbose", cwd=folder)
    assert again.status == 1
    assert next(line for line in lines if line.startswith("  found")) in again.out.splitlines()


@pytest.mark.slow
def test_the_same_command_prints_the_same_bytes(folder: Path) -> None:
    arguments = (
        "check",
        "--verbose",
        "steps.py:broken",
        "--examples",
        2,
        "--dtype",
        "float32",
        "--line",
        "out.json",
    )
    first = process(*arguments, cwd=folder)
    record = results(folder)
    assert process(*arguments, cwd=folder) == first
    assert results(folder) == record
    assert "\x1b" not in first.out
    assert first.status == 1


def test_own_steps_are_checked_for_symmetry_and_told_how_to_ask_for_more(folder: Path) -> None:
    note = (
        "network/* not checked: add --only '*' if your step is sigmoid, softmax and plain gradient "
        "descent"
    )
    few = symmetry("check", "--verbose", "steps:sound", "--examples", 4, cwd=folder)
    assert few.status == 0
    assert note in few.out.splitlines()
    assert f"sound ({len(OWN)} checks; verdicts: {2 * len(OWN)} hold)" in few.out
    all_ = symmetry("check", "--verbose", "steps:sound", "--examples", 4, "--only", "*", cwd=folder)
    assert all_.status == 0
    assert "not checked" not in all_.out
    number = len(CATALOGUE)
    assert f"sound ({number} checks; verdicts: {2 * number} hold)" in all_.out


@pytest.mark.slow
def test_rounding_passes_unless_all_must_hold_exactly(folder: Path) -> None:
    arguments = (
        "check",
        "--verbose",
        "steps:rounded",
        *W2_ROWS,
        "--examples",
        10,
        "--line",
        "out.json",
    )
    passed = symmetry(*arguments, cwd=folder)
    assert passed.status == 0
    assert passed.out.endswith("\nsound (1 check; verdicts: 1 rounding)\n")
    result = results(folder)["symmetry/w2-rows", "float32"]
    assert (result["verdict"], result["cases"]) == ("rounding", 10)
    refused = symmetry(*arguments, "--exact", cwd=folder)
    assert refused.status == 1
    result = results(folder)["symmetry/w2-rows", "float32"]
    assert (result["verdict"], result["rounding"]) == ("violated", True)
    again = symmetry(*shlex.split(result["command"])[1:], cwd=folder)
    assert (again.status, "--exact" in result["command"]) == (1, True)


def test_nothing_was_checked(folder: Path) -> None:
    finished = symmetry(
        "check", "--verbose", "steps:frozen", "--examples", 5, "--line", "out.json", cwd=folder
    )
    assert_one_line(finished, "nothing was checked")
    assert "the step returns w1 and w2 as they came" in finished.out.splitlines()
    assert {result["verdict"] for result in results(folder).values()} == {"vacuous"}
    finished = symmetry("check", "--verbose", "steps:single", "--dtype", "float64", cwd=folder)
    assert_one_line(finished, "nothing was checked: the step takes float32 only")


def test_a_step_that_raises(folder: Path) -> None:
    arguments = ("check", "--verbose", "steps:raises", "--only", "*/pure")
    finished = symmetry(*arguments, cwd=folder)
    assert finished.status == 1
    assert "error             the step raised ValueError: no (steps.py:" in finished.out
    assert "  case       1 sample, 1 input, 1 hidden unit, 1 class; 1 iteration" in finished.out
    assert finished.out.endswith(
        "the target does not work: look at symmetry/pure (1 check; verdicts: 1 error)\n"
    )


def test_json_goes_to_standard_output(folder: Path) -> None:
    few = ("--only", "*/pure", "--examples", 2)
    finished = symmetry("check", "steps:sound", *few, "--json", "-", cwd=folder)
    assert finished.status == 0
    assert json.loads(finished.out)["verdict"] == "sound"
    assert not (folder / "-").exists()
    both = symmetry("check", "steps:sound", *few, "--json", "-", "--format", "sarif", cwd=folder)
    assert_one_line(both, "--json - and --format sarif cannot both be printed")


@pytest.mark.parametrize("format_", ["sarif", slow("junit")])
def test_beside_a_result_for_a_file_the_log_has_the_answer(format_: str, folder: Path) -> None:
    few = ("--only", "*/w2-rows", "--examples", 4)
    broken = symmetry("check", "steps:broken", *few, "--format", format_, cwd=folder)
    assert broken.status == 1
    assert broken.err.startswith("steps:broken: 1 problem (1 check)\n")
    assert "found by  symmetry/w2-rows" in broken.err
    quiet = symmetry("check", "steps:sound", *few, "--format", "sarif", "--quiet", cwd=folder)
    assert quiet.err == ""


def test_a_requirement_that_is_not_met_proves_nothing(folder: Path) -> None:
    arguments = ("check", "steps:frozen", "--only", "*/w1-columns", "--examples", 2)
    finished = symmetry(*arguments, "--require", "symmetry/*", cwd=folder)
    assert_one_line(finished, "a requirement is not met: --require symmetry/*: symmetry/w1-columns")
    assert_one_line(symmetry(*arguments, "--require", "2", cwd=folder), "--require 2 can never be")


def test_a_replayed_case_is_run_as_it_is(folder: Path) -> None:
    finished = symmetry(
        "check",
        "--verbose",
        "steps:broken",
        "--case",
        CASE.to_json(),
        "--line",
        "out.json",
        cwd=folder,
    )
    assert finished.status == 1
    assert finished.out.startswith(f"steps:broken: {len(OWN)} invariants on 1 given case\n")
    record = json.loads((folder / "out.json").read_text())
    assert (record["seed"], record["examples"], len(record["results"])) == (None, 1, len(OWN))
    rows = results(folder)["symmetry/w2-rows", "float32"]
    assert rows["case"] == json.loads(CASE.to_json()) | {"weights": "zero"}


def test_cases_come_from_a_file(folder: Path) -> None:
    cases = draw_cases(3, 0)
    (folder / "cases.jsonl").write_text("\n".join(case.to_json() for case in cases) + "\n")
    finished = symmetry(
        "check", "--verbose", "--only", "*/pure", "--case", "cases.jsonl", cwd=folder
    )
    assert finished.status == 0
    assert finished.out.startswith("numba: 1 invariant on 6 given cases\n")
    arguments = ("--only", "*/pure", "--case", "cases.jsonl", "--dtype", "float64")
    assert " on 3 given cases\n" in symmetry("check", "--verbose", *arguments, cwd=folder).out


def test_another_seed_and_number_of_examples(folder: Path) -> None:
    arguments = (
        "check",
        "--verbose",
        "steps:sound",
        "--only",
        "*/pure",
        "--seed",
        5,
        "--examples",
        3,
    )
    finished = symmetry(*arguments, "--line", "out.json", cwd=folder)
    assert finished.out.startswith(
        "steps:sound: 1 invariant on 3 cases in float32 and in float64, "
    )
    record = json.loads((folder / "out.json").read_text())
    assert (record["trainer"], record["seed"], record["examples"]) == ("steps:sound", 5, 3)


MODELS = """
import numpy as train_module
from symmetry.network.core import step as train_imported
from steps import broken

def train_sound(x, y, w1, w2, lr):
    return train_imported(x, y, w1, w2, lr)

def train_broken(x, y, w1, w2, lr):
    return broken(x, y, w1, w2, lr)

def train_helper(path): ...

def _train_private(x, y, w1, w2, lr): ...

train_data = 7
"""


EXPECTED = (
    "expected a two-layer step, called as step(x, y, w1, w2, lr), or a training, a function "
    "without parameters that returns (model, step)"
)


@pytest.mark.slow
def test_a_pattern_stands_for_each_target_that_the_file_defines(folder: Path) -> None:
    (folder / "models.py").write_text(MODELS)
    arguments = (
        "check",
        "--verbose",
        "models.py:train_*",
        *W2_ROWS,
        "--examples",
        5,
        "--json",
        "out.json",
        "--output",
        ".",
    )
    finished = symmetry(*arguments, cwd=folder)
    assert finished.status == 1
    assert finished.out.splitlines()[-10:] == [
        "models.py:train_broken  1 invariant violated: look at symmetry/w2-rows",
        "models.py:train_sound   sound",
        "left out: models.py:train_imported is imported",
        f"left out: 'models.py:train_helper' takes (path), {EXPECTED}",
        f"left out: 'models.py:train_data' is of type int, {EXPECTED}",
        "",
        "wrote out.json",
        "wrote models.md",
        "wrote models.html",
        "2 targets: 1 sound, 1 not",
    ]
    record = json.loads((folder / "out.json").read_text())
    names = [each["target"] for each in record]
    assert names == ["models.py:train_sound", "models.py:train_broken"]
    assert (
        "| `models.py:train_broken` | violated | 1 violated | - |"
        in (folder / "models.md").read_text()
    )


@pytest.mark.slow
def test_the_other_targets_are_checked_whatever_becomes_of_one(folder: Path) -> None:
    arguments = ("nowhere:step", "steps:frozen", "steps:sound", "--only", "*/pure")
    finished = symmetry("check", "--verbose", *arguments, "--examples", 2, cwd=folder)
    assert finished.status == 2
    lines = finished.out.splitlines()
    assert lines[-1] == "3 targets: 1 sound, 2 not checked"
    assert lines[-5].startswith("nowhere:step  error: 'nowhere:step': No module named 'nowhere'")
    assert lines[-4] == "steps:frozen  nothing was checked: nothing moved in 2 cases"
    assert lines[-3] == "steps:sound   sound"


def test_the_list(tmp_path: Path) -> None:
    text = symmetry("check", "--verbose", "--list", cwd=tmp_path).out
    for invariant in CATALOGUE:
        assert f"{invariant.name}\n  statement  {invariant.statement}\n" in text
        for value in (invariant.reason, invariant.witness, invariant.targets, invariant.compared):
            assert value in text
    both = symmetry(
        "check", "--verbose", "--list", "--only", "training/moves", "--only", "*/pure", cwd=tmp_path
    )
    assert [line for line in both.out.splitlines() if not line.startswith(" ")] == [
        "symmetry/pure",
        "training/moves",
    ]
    short = symmetry("check", "--list", cwd=tmp_path).out
    assert short.startswith("symmetry/*: equal units, samples and runs\n  symmetry/w1-columns  ")
    assert "  training/gradient       the gradient that backward left" in short
    own = {line.split()[0]: line for line in short.splitlines() if line.startswith("  ")}
    assert own["training/gradient"].endswith("(float64) (with --only NAME)")
    assert own["ranks/world"].endswith(" (with --ranks N)")
    assert own["resume/state"].endswith(" (with --resume-with ARGUMENTS)")
    assert {line.split()[0] for line in short.splitlines() if line.startswith("  ")} == {
        invariant.name for invariant in invariants()
    }
    some = symmetry("check", "--verbose", "--list", "--only", "*/pure", cwd=tmp_path).out
    assert some.startswith("symmetry/pure\n")
    assert len(some.splitlines()) == 6


def test_all_options_are_in_a_section_of_the_help(tmp_path: Path) -> None:
    text = symmetry("check", "--help", cwd=tmp_path).out
    assert len(text.splitlines()) <= 65
    assert f"says more: {', '.join(topics())}." in " ".join(text.split())
    *_, others = text.split("\nOther options:\n")
    assert others.split() == ["-h,", "--help", "Show", "this", "message", "and", "exit."]
    for heading in ("Which checks", "What fails", "Output", "How it runs", "Several targets"):
        assert f"\n{heading}:\n" in text


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (["no.such:step"], "No module named 'no'"),
        (["steps:missing"], "steps has no attribute 'missing'"),
        (["steps:STEPS"], "steps has no attribute 'STEPS'"),
        (["--only", "clones"], "no invariant matches 'clones', did you mean 'symmetry/clones'?"),
        (["--skip", "*"], "the patterns to skip leave no invariant"),
        (["--examples", "0"], "--examples"),
        (["--examples", "many"], "--examples"),
        (["--seed", "-1"], "--seed"),
        (["--dtype", "float16"], "--dtype"),
        (["--fast"], "--fast is gone: type --skip 'symmetry/*'"),
        (["--strict", "steps.py"], "--strict is gone: type --gate '*'"),
        (
            ["--time-limit=60"],
            "--time-limit is gone: type --budget SECONDS for a target, ",
        ),
        (["--case", "{}"], 'missing keys "n", "i"'),
        (["--case", '{"n": 1'], "--case: a case is one line of JSON"),
        (["--case", CASE.to_json().replace('"h": 4', '"h": 0')], "h must be an integer from 1"),
        (["--case", CASE.to_json().replace('"h"', '"H"')], 'unknown key "H"'),
        (["--case", "[1]"], "a case is a JSON object"),
        (["--case", "no-such-file"], "'no-such-file' cannot be read: No such file"),
        (["--case", ""], "cannot be read"),
        (["--case", "bad.jsonl"], "bad.jsonl: line 2: n must be an integer"),
        (["--case", "binary"], "cannot be read"),
        (["--json", "no/such/folder.json"], "cannot write no/such/folder.json"),
        (["--output", "steps.py"], "steps.py"),
        (["steps.py:no_*"], "nothing to check in 'steps.py:no_*': steps.py defines no such name"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: list[str], phrase: str, folder: Path
) -> None:
    line = CASE.to_json()
    (folder / "bad.jsonl").write_text(f"{line}\n{line.replace('3', '0', 1)}\n")
    (folder / "binary").write_bytes(b"\xff\xfe\x00")
    finished = symmetry("check", *arguments, cwd=folder)
    assert_one_line(finished, phrase)
    assert finished.out == ""


@pytest.mark.slow
def test_an_interruption_leaves_the_verdicts_that_there_are(folder: Path) -> None:
    arguments = ("check", "--verbose", "steps:slow", "--json", "out.json", "--output", ".")
    arguments += ("--writable", ".")  # the step says by a file that it has begun
    started = subprocess.Popen(
        [*SYMMETRY, *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not (folder / "started").exists() and started.poll() is None:
            time.sleep(0.05)
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=120)
    finally:
        started.kill()
    assert (started.returncode, err) == (130, "interrupted\n")
    assert out.endswith("wrote out.json\n")
    assert json.loads((folder / "out.json").read_text())["verdict"] == "cannot-judge"
    assert not list(folder.glob("*.md"))


@pytest.mark.slow
def test_a_terminal_gets_colours_and_a_bar(folder: Path) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    arguments = ("check", "--verbose", "steps:broken", *map(str, W2_ROWS), "--examples", "3")
    started = subprocess.Popen(
        [*SYMMETRY, *arguments],
        cwd=folder,
        env=environment(TERM="xterm-256color"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    out = b""
    while part := _read(ours):
        out += part
    os.close(ours)
    assert started.wait() == 1
    text = out.decode()
    assert "\x1b[1;31m violated \x1b[0m" in text
    assert "symmetry/w2-rows float32" in text  # beside the bar
    assert "\x1b[1msymmetry/w2-rows in float32: violated, by more than rounding" in text
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    assert "look at symmetry/w2-rows (1 check; verdicts: 1 violated)\r\n" in plain


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # nobody is at the other end any more
        return b""


@pytest.mark.slow
def test_torch_splits_its_units_by_rounding_and_keeps_to_the_formulas(tmp_path: Path) -> None:
    """On processors whose kernels do not, there is nothing to see."""
    arguments = ("check", "--verbose", "torch", "--dtype", "float32", "--examples", 10)
    finished = symmetry(*arguments, "--line", "out.json", cwd=tmp_path)
    assert finished.status == 0
    verdicts = {name: result["verdict"] for (name, _), result in results(tmp_path).items()}
    exact = {"symmetry/w1-columns", "symmetry/w2-rows", "symmetry/clones"}
    assert {verdict for name, verdict in verdicts.items() if name not in exact} == {"holds"}
    assert {verdicts[name] for name in exact} <= {"holds", "rounding"}


def test_the_culprit_of_a_violation_is_named(folder: Path) -> None:
    options = ("--examples", "5", "--dtype", "float32", "--only", "symmetry/clones")
    finished = symmetry("check", "--verbose", "steps.py:broken", *options, cwd=folder)
    assert finished.status == 1
    assert "steps.py:7 treats the hidden units differently: multiply" in finished.out
    assert "  w2[-1] *= 1.5" in finished.out
    finished = symmetry(
        "check", "--verbose", "steps.py:broken", *options, "--no-explain", cwd=folder
    )
    assert finished.status == 1
    assert "treats the hidden units" not in finished.out
