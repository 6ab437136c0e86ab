"""``symmetry compare`` as people run it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.inside import symmetry
from tests.cli.process import assert_one_line
from tests.cli.process import symmetry as process
from tests.conftest import slow

# All files of the working folder are mirrored for each import, and there are few of them.
FOLDER = Path(__file__).parents[1] / "comparison"
HERE = "tests.comparison.trainings:"


def compare(first: str, *others: str, run=symmetry):
    names = (HERE + name for name in (first, *others) if name[0] != "-")
    return run("compare", *names, *(o for o in others if o[0] == "-"), cwd=FOLDER)


@pytest.mark.slow
def test_the_same_and_another(tmp_path):
    done = symmetry(
        *("compare", HERE + "training", HERE + "sdpa", HERE + "other_eps"),
        *("--dtype", "float64", "--json", tmp_path / "found.json"),
        cwd=FOLDER,
    )
    assert done.status == 1, done.err
    lines = done.out.splitlines()
    assert lines[0] == f"{HERE}sdpa is the same training as {HERE}training, up to rounding"
    assert lines[1].startswith("  float64  at most ")
    assert lines[2].startswith("  looked   2 steps compared; ")
    assert lines[4].endswith(f": {HERE}other_eps is another training than {HERE}training")
    assert lines[4].startswith("trainings.py:")
    assert lines[5].startswith("  first    the update of step 1: ")
    assert not done.err
    found = json.loads((tmp_path / "found.json").read_text())
    assert [other["same"] for other in found["others"]] == [True, False]


def test_the_same_is_quiet_on_request():
    done = compare("training", "sdpa", "--dtype=float64", "--quiet")
    assert (done.status, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize(
    ("other", "phrase", "timeout"),
    [
        slow("crashing", "killed (signal SIGABRT)", 60),
        slow("hanging", "did not return within", 2),
    ],
)
def test_a_training_that_ends_its_process_cannot_be_compared(other, phrase, timeout):
    limit = f"--timeout={timeout}"
    done = compare("training", other, "--dtype=float32", limit, run=process)
    assert_one_line(done, f"comparing {HERE}{other}: the target")
    assert phrase in done.err


def test_a_training_that_raises_does_not_run():
    done = compare("training", "raising", "--dtype=float32")
    assert done.status == 1, done.err
    assert f"{HERE}raising does not run: " in done.out
    assert "raised ValueError: no more" in done.out


@pytest.mark.parametrize(
    ("first", "other", "phrase"),
    [
        ("training", "unrelated", "no parameter in common"),
        ("training", "missing", "has no attribute"),
        ("still", "still", "still: cannot judge: nothing moves"),
    ],
)
def test_what_cannot_be_compared(first, other, phrase):
    assert_one_line(compare(first, other, "--dtype=float32"), phrase)


@pytest.mark.parametrize(
    ("data", "phrase"), [(b"cut", "it may be cut off"), (None, "cannot read missing.safetensors")]
)
def test_a_file_that_is_no_recorded_run(tmp_path, data, phrase):
    if data is not None:
        (tmp_path / "missing.safetensors").write_bytes(data)
    assert_one_line(symmetry("compare", "missing.safetensors", "numpy", cwd=tmp_path), phrase)


def test_whole_epochs(tmp_path):
    text = (
        "import torch\n"
        "model = torch.nn.Linear(4, 3)\n"
        "optimizer = torch.optim.SGD(model.parameters(), 0.1)\n"
        "scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)\n"
        "for _ in range(6):\n"
        "    optimizer.zero_grad()\n"
        "    model(torch.randn(8, 4)).square().mean().backward()\n"
        "    optimizer.step()\n"
        "    scheduler.step()\n"
    )
    (tmp_path / "a.py").write_text(text)
    (tmp_path / "b.py").write_text(text.replace("optimizer, 3", "optimizer, 4"))
    asked = "compare", "a.py", "b.py", "--dtype", "float32", "--whole"
    done = symmetry(*asked, "--json", "found.json", cwd=tmp_path)
    assert done.status == 1, done.err
    first, second, *_, last = done.out.splitlines()
    assert first == "b.py:8 (a.py:8 of the reference): b.py is another training than a.py"
    assert second == "  first    the learning rate of update 4 is 0.1, not 0.01"
    assert last == "  epochs   the same over 3 updates and 0 calls for evaluation before that"
    (other,) = json.loads((tmp_path / "found.json").read_text())["others"]
    assert (other["first"]["phase"], other["whole"]["updates"]) == ("update", 3)


def test_a_step_has_no_epochs():
    targets = ["tests.steps.compared:step"] * 2
    done = symmetry("compare", *targets, "--whole", "--dtype", "float32", cwd=FOLDER)
    assert_one_line(done, "step is a two-layer step: it has no epochs to compare")


def test_two_layer_steps(tmp_path):
    steps = [f"tests.steps.compared:{name}" for name in ("step", "in_another_order", "tanh")]
    asked = "compare", *steps, "--examples", 10, "--dtype", "float64", "--output", tmp_path
    done = symmetry(*asked, cwd=FOLDER)
    assert done.status == 1, done.err
    assert f"{steps[1]} is the same training as {steps[0]}, up to rounding" in done.out
    assert "  first    the forward of step 1: the bias row of w2 moves otherwise" in done.out
    assert "looked" not in done.out
    assert "after step 1 of the case {" in done.out
    assert f"## `{steps[2]}`" in (tmp_path / "comparison.md").read_text()


@pytest.mark.slow
def test_the_report_has_the_same_bytes(tmp_path):
    names = HERE + "training", HERE + "sdpa"
    asked = "compare", *names, "--steps", 1, "--dtype", "float32", "--output", "report"
    written = []
    for where in ("a", "b"):
        (tmp_path / where).mkdir()
        done = symmetry(*asked, cwd=tmp_path / where)
        assert done.status == 0, done.err
        written.append({p.name: p.read_bytes() for p in (tmp_path / where / "report").iterdir()})
    assert written[0] == written[1]
    assert written[0].keys() == {"comparison.md", "comparison.png"}
