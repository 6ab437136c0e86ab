"""Trainings on two ranks, under ``torchrun``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.cli import inside
from tests.cli.process import Finished, environment
from tests.torch.script import scripts

ROOT = Path(__file__).parents[1]
OF_TRAININGS = ("--only", "training/*", "--skip", "training/units")
SOUND = ("replicated", "plain", "sharded", "in_parts")
DRIFTING = {
    "drifts": "after step 2 model.module.2.weight is not the same on all ranks: rank 1",
    "forgets_a_bias": "after step 1 model.2.bias is not the same on all ranks: rank 1",
    "starts_apart": "before the first step model.0.weight is not the same on all ranks",
}
COMMANDS = {
    **{name: (name, *OF_TRAININGS) for name in SOUND},
    "the law": ("replicated", "--only", "symmetry/*"),
    "the law with other tokens": ("other_tokens", "--only", "symmetry/*"),
    **{name: (name, "--only", "training/replicas") for name in DRIFTING},
    "drifts, all else": ("drifts", "--only", "training/*", "--only", "symmetry/repeatable"),
}
Checked = Callable[[str], Finished]


def torchrun(*module: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.run(
        [*command, "-m", *map(str, module)],
        cwd=cwd,
        env=environment(OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def run_on_two_ranks(names: Iterable[str], folder: Path) -> dict[str, Finished]:
    """Return what became of some commands, run by the same two processes one after the other.

    The exit status is the larger one; the first rank prints.
    """
    file, commands = folder / "commands.json", {name: COMMANDS[name] for name in names}
    file.write_text(
        json.dumps(
            [["check", "--verbose", f"tests.ranks:{n}", *more] for n, *more in commands.values()]
        )
    )
    done = torchrun("tests.commands", file)
    assert done.returncode == 0, done.stderr
    first, second = (json.loads(file.with_suffix(f".{rank}").read_text()) for rank in (0, 1))
    assert {other["out"] for other in second} == {""}
    statuses = [max(a["status"], b["status"]) for a, b in zip(first, second, strict=True)]
    ended = (Finished(s, one["out"], one["err"]) for s, one in zip(statuses, first, strict=True))
    return dict(zip(commands, ended, strict=True))


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    """Return a function that returns the outcome of a command: all are run together."""
    return run_on_two_ranks([*COMMANDS], tmp_path_factory.mktemp("ranks")).__getitem__


@pytest.mark.slow
@pytest.mark.parametrize("training", SOUND)
def test_sound_trainings(checked: Checked, training: str) -> None:
    done = checked(training)
    assert done.status == 0, done
    lines = [line.split() for line in done.out.splitlines() if line.startswith("training/")]
    found = {name: verdict for name, _, verdict, *_ in lines}
    sharded = training == "sharded"  # it has no parameter that several ranks hold
    assert found.pop("training/replicas") == ("vacuous" if sharded else "holds")
    for name in ("training/resume", "training/zero-rate", "training/moves"):
        assert found.pop(name) == "holds"
    assert set(found.values()) <= {"holds", "not"}  # not applicable: what this one does not use


@pytest.mark.slow
@pytest.mark.parametrize("law", ["the law", "the law with other tokens"])
def test_the_law_on_two_ranks(checked: Checked, law: str) -> None:
    """Ranks that have other losses look for units alike, and so do not wait for each other."""
    done = checked(law)
    assert done.status == 0, done
    kinds = {line.split()[2] for line in done.out.splitlines() if line.startswith("symmetry/p")}
    assert kinds == {"holds"}


@pytest.mark.slow
@pytest.mark.parametrize("training", DRIFTING)
def test_ranks_that_drift(checked: Checked, training: str) -> None:
    done = checked(training)
    assert done.status == 1, done
    assert done.out.count("  found      ") == 1  # one rank tells it, once
    assert f"  found      {DRIFTING[training]}" in done.out
    assert "reproduce  torchrun --nproc-per-node 2 -m symmetry check" in done.out


@pytest.mark.slow
def test_ranks_that_drift_do_not_wait_for_each_other(checked: Checked) -> None:
    """One of them moves at a rate of zero and has seen enough; the other would go on alone."""
    done = checked("drifts, all else")
    assert done.status == 1, done
    assert "  found      after step 2 model.module.2.weight is not the same" in done.out
    assert "not judged: its ranks do not hold the same parameters" in done.out


@pytest.mark.slow
def test_a_rank_that_raises_ends_all() -> None:
    done = torchrun("symmetry", "check", "--verbose", "tests.ranks:raises")
    assert done.returncode == 1
    assert "step(0) raised RuntimeError: no room on this rank" in done.stderr


@pytest.mark.slow
def test_the_rank_that_answers_is_not_ended_by_another_one() -> None:
    done = torchrun("symmetry", "check", "tests.ranks:drifts", "--only", "training/replicas")
    assert done.returncode == 1
    assert done.stdout.startswith("tests.ranks:drifts: 1 problem")
    told = "The lines that follow are torchrun's: they only say that the exit status is 1."
    assert told in done.stderr


FUNCTION = (
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


def test_without_ranks_it_does_not_apply(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(FUNCTION)
    alone = ("check", "--verbose", "train.py:training", "--only", "training/replicas")
    done = inside.symmetry(*alone, cwd=tmp_path)
    assert "not applicable    it has one rank: --ranks 2 runs a script" in done.out


def test_a_function_has_no_ranks_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(FUNCTION)
    done = inside.symmetry("check", "--ranks", "2", "train.py:training", cwd=tmp_path)
    assert done.status == 2
    assert "--ranks is for scripts: a function runs under torchrun" in done.err


@pytest.mark.slow
@pytest.mark.parametrize(("tail", "status"), [((), 0), (("--", "alone"), 1)])
def test_a_script_on_two_ranks(tmp_path: Path, tail: tuple[str, ...], status: int) -> None:
    (tmp_path / "train.py").write_text(scripts.RANKS)
    judged = ("--only", "training/replicas", "--only", "*/repeatable")
    done = torchrun("symmetry", "check", "--verbose", "train.py", *judged, *tail, cwd=tmp_path)
    assert done.returncode == status, done.stderr
    found = "after step 1 model.module.0.weight is not the same on all ranks: rank 1" in done.stdout
    assert found == bool(status)
    told = (
        "The lines that follow are torchrun's: they only say that the exit status is 1."
        in done.stderr
    )
    assert told == bool(status)
    assert [path.name for path in tmp_path.iterdir()] == ["train.py"]
