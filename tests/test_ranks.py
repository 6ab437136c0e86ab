"""Trainings on two ranks, under ``torchrun``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.process import environment
from tests.conftest import needs
from tests.trainings.torch.script import scripts

pytestmark = needs("torch")


def torchrun(
    training: str, *arguments: str, cwd: Path = Path(__file__).parents[1]
) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("torch.distributed")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.run(
        [*command, "-m", "symmetry", "check", training, *arguments],
        cwd=cwd,
        env=environment(OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("training", ["replicated", "plain", "sharded", "in_parts"])
def test_sound_trainings(training: str) -> None:
    done = torchrun(f"tests.ranks:{training}", "--only", "training/*", "--skip", "training/units")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("training/")]
    found = {name: verdict for name, _, verdict, *_ in lines}
    sharded = training == "sharded"  # it has no parameter that several ranks hold
    assert found.pop("training/replicas") == ("vacuous" if sharded else "holds")
    for name in ("training/resume", "training/zero-rate", "training/moves"):
        assert found.pop(name) == "holds"
    assert set(found.values()) <= {"holds", "not"}  # not applicable: what this one does not use


def test_the_law_on_two_ranks() -> None:
    done = torchrun("tests.ranks:replicated", "--only", "symmetry/*")
    assert done.returncode == 0, done.stderr
    kinds = {line.split()[2] for line in done.stdout.splitlines() if line.startswith("symmetry/p")}
    assert kinds == {"holds"}


@pytest.mark.parametrize(
    ("training", "found"),
    [
        ("drifts", "after step 2 model.module.2.weight is not the same on all ranks: rank 1"),
        ("forgets_a_bias", "after step 1 model.2.bias is not the same on all ranks: rank 1"),
        ("starts_apart", "before the first step model.0.weight is not the same on all ranks"),
    ],
)
def test_ranks_that_drift(training: str, found: str) -> None:
    done = torchrun(f"tests.ranks:{training}", "--only", "training/replicas")
    assert done.returncode == 1
    assert done.stdout.count("  found      ") == 1  # one rank tells it, once
    assert f"  found      {found}" in done.stdout
    assert "reproduce  torchrun --nproc-per-node 2 -m symmetry check" in done.stdout


def test_ranks_that_drift_do_not_wait_for_each_other() -> None:
    """One of them moves at a rate of zero and has seen enough; the other would go on alone."""
    done = torchrun("tests.ranks:drifts", "--only", "training/*", "--only", "symmetry/repeatable")
    assert done.returncode == 1, done.stderr
    assert "  found      after step 2 model.module.2.weight is not the same" in done.stdout
    assert "not judged: its ranks do not hold the same parameters" in done.stdout


def test_a_rank_that_raises_ends_all() -> None:
    done = torchrun("tests.ranks:raises")
    assert done.returncode == 1
    assert "step(0) raised RuntimeError: no room on this rank" in done.stderr


def test_without_ranks_it_does_not_apply(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import torch\n"
        "def training():\n"
        "    model = torch.nn.Linear(2, 2)\n"
        "    optimizer = torch.optim.SGD(model.parameters(), 0.1)\n"
        "    def step(i):\n"
        "        optimizer.zero_grad()\n"
        "        model(torch.ones(3, 2)).square().mean().backward()\n"
        "        optimizer.step()\n"
        "    return model, step\n"
    )
    command = [sys.executable, "-m", "symmetry", "check", "train.py:training"]
    done = subprocess.run(
        [*command, "--only", "training/replicas"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "not applicable    there is one process: run it under torchrun" in done.stdout


@needs("greenlet")
@pytest.mark.parametrize(("tail", "status"), [((), 0), (("--", "alone"), 1)])
def test_a_script_on_two_ranks(tmp_path: Path, tail: tuple[str, ...], status: int) -> None:
    (tmp_path / "train.py").write_text(scripts.RANKS)
    done = torchrun(
        "train.py", "--only", "training/replicas", "--only", "*/repeatable", *tail, cwd=tmp_path
    )
    assert done.returncode == status, done.stderr
    found = "after step 1 model.module.0.weight is not the same on all ranks: rank 1" in done.stdout
    assert found == bool(status)
    assert [path.name for path in tmp_path.iterdir()] == ["train.py"]
