"""A run of a check is held against a plain run, and watchers that change it are noticed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from symmetry.base.patches import patched
from symmetry.base.updates import PlainRun, UpdateLog, first_difference, rounds, sized
from symmetry.sandbox.plain_run import PlainOrder, run_here
from symmetry.sandbox.source import Source
from symmetry.sandbox.witness import Witness
from symmetry.targets.script import script
from symmetry.torch.script import updates
from symmetry.torch.script.epochs.recorder import EpochRecorder
from symmetry.torch.script.execution import Execution
from symmetry.torch.script.host import Host
from symmetry.torch.script.traced_updates import TracedRun
from symmetry.torch.script.updates import record_plainly
from symmetry.training.start import TrainingStart
from tests.cli.process import symmetry as in_a_process
from tests.sound.trainings import scripts
from tests.torch.script.epochs.helpers import HEAD

# Scripts that are watched in different ways; the command holds each check against a plain run.
SOUND = (
    *("language_model", "mixture_of_experts", "loop/accumulated", "loop/closures", "loop/gan"),
    *("loop/cross_validation", "loop/generated_without_gradient", "loop/updated_by_hand"),
    *("loop/two_optimizers_of_unequal_pace", "nearly/characters_in_windows"),
    *("nearly/model_compiled_by_jit", "nearly/network_by_hand"),
)
SCRIPT = HEAD.replace("model = nn.Sequential(", "model = nn.Sequential(Scaled(), ").replace(
    "torch.manual_seed(0)",
    """torch.manual_seed(0)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.linspace(0.5, 1, 4))

    def forward(self, x):
        return (x * self.scale).float()

""",
)
SCRIPT += "for epoch in range(2):\n    train()\n"


class OnePlainRun(Witness):
    """A witness whose every run is the same."""

    def __init__(self, run: PlainRun) -> None:
        super().__init__(Source("train.py", "train"), moved=record_plainly)
        self.run = run

    def first_updates(self) -> PlainRun:
        return self.run

    def again(self, *_: object, **__: object) -> PlainRun:
        return self.run


def record(log: UpdateLog, *rest: Any) -> None:
    """Record the first updates, and let the run go on."""
    log.full = lambda: None
    record_plainly(log, *rest)


@pytest.fixture
def held(tmp_path, monkeypatch):
    """Hold the first run of a script against its plain run."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "train.py"

    def hold(text: str = SCRIPT) -> tuple[str, ...]:
        """Return where its runs part from it, by more than rounding or not."""
        file.write_text(text)
        answers: list[PlainRun] = []
        run_here(PlainOrder(Source("train.py", file), recorder=record), answers.append)
        updates._to_the_end.close()  # this process goes on
        (plain,) = answers
        assert plain.failure is None
        assert len(plain.updates) == 3
        target = script("train.py")
        training: Any = target.training
        host = training._host
        witness = OnePlainRun(plain)
        host.compares, host._witness = True, ((False, host.source), witness)
        try:
            _ = TrainingStart(training, "float32").baseline
            said = [training.disturbance or training.facts.rounded]
            for run in (training.epochs, training.updates):
                witness.rounded = ""
                try:
                    run(0)
                    said.append(training.facts.rounded)
                except Exception as error:
                    said.append(str(error))
            return tuple(said)
        finally:
            target.close()

    return hold


def test_a_watched_run_is_the_plain_run_bit_for_bit(held):
    assert held() == ("", "", "")


@contextmanager
def lost_write() -> Iterator[None]:
    """BatchNorm writes its statistics into copies."""
    original = nn.functional.batch_norm

    def batch_norm(x: Any, mean: Any, variance: Any, *args: Any, **kwargs: Any) -> Any:
        return original(x, mean.clone(), variance.clone(), *args, **kwargs)

    with patched([(nn.functional, "batch_norm", batch_norm)]):
        yield


def hooked(see: Callable[[nn.Module], None]) -> Any:
    @contextmanager
    def hook() -> Iterator[None]:
        register = nn.modules.module.register_module_forward_pre_hook
        handle = register(lambda module, _: see(module))
        try:
            yield
        finally:
            handle.remove()

    return hook


def draw(_: nn.Module) -> None:
    torch.rand(1)


def promote(module: nn.Module) -> None:
    if "scale" in module._buffers:
        module._buffers["scale"] = module.scale.double()


def evaluate(module: nn.Module) -> None:
    if isinstance(module, nn.Dropout):
        module.training = False


@contextmanager
def other_gradients() -> Iterator[None]:
    """A backward that changes a gradient by one ulp."""
    original = torch.autograd.backward

    def backward(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        for parameter in WEIGHTS:
            if parameter.grad is not None:
                parameter.grad.mul_(1 + 2**-23)

    with patched([(torch.autograd, "backward", backward)]):
        yield


WEIGHTS: list[Any] = []


def remember(module: nn.Module) -> None:
    WEIGHTS[:] = module.parameters()


@contextmanager
def left_out() -> Iterator[None]:
    """A loader whose first batch somebody else has taken."""
    loader = torch.utils.data.DataLoader
    original = loader.__iter__

    def begin(self: Any) -> Any:
        batches = original(self)
        next(batches)
        return batches

    with patched([(loader, "__iter__", begin)]):
        yield


@contextmanager
def slightly_other_gradients() -> Iterator[None]:
    with hooked(remember)(), other_gradients():
        yield


BROKEN = {
    "a patched operation loses a write": lost_write,
    "a hook draws a random number": hooked(draw),
    "a buffer is promoted": hooked(promote),
    "a hook leaves evaluation mode behind": hooked(evaluate),
    "a patched backward changes a gradient": slightly_other_gradients,
    "a watcher takes a batch": left_out,
}


def cases() -> Iterator[Any]:
    """Yield the broken watchers; three kinds are quick tests."""
    for number, (name, broken) in enumerate(BROKEN.items()):
        told = "differs by rounding" if broken is slightly_other_gradients else "disturbs"
        yield pytest.param(broken, told, id=name, marks=[pytest.mark.slow] * (number >= 3))


@pytest.mark.parametrize(("broken", "told"), [*cases()])
def test_a_broken_watcher_is_noticed(held, monkeypatch, broken, told):
    runs = (Execution, "_watching"), (EpochRecorder, "watching"), (TracedRun, "_watching")
    for kind, name in runs:
        original = getattr(kind, name)

        @contextmanager
        def watching(self: Any, original: Any = original) -> Iterator[None]:
            with original(self), broken():
                yield

        monkeypatch.setattr(kind, name, watching)
    for text in held():
        assert told in text
        assert "in update 1 of a plain run" in text


class OtherRuns(OnePlainRun):
    """Stands for the witness of a script that is another one in each process."""

    def again(self, *_: object, **__: object) -> PlainRun:
        first, *others = self.run.updates
        other = {**first, "the loss": ("another",)}
        return replace(self.run, updates=(other, *others))


def test_a_script_that_is_another_one_in_each_process_is_not_judged(held, tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.OnePlainRun", OtherRuns)
    runs = tmp_path / "runs"
    runs.write_text("")
    counts = f"import os\nos.write(os.open({str(runs)!r}, os.O_APPEND | os.O_WRONLY), b'x')\n"
    text = f"{counts}import torch\ntorch.manual_seed(os.path.getsize({str(runs)!r}))\n"
    assert held(text + SCRIPT.replace("torch.manual_seed(0)", "")) == ("", "", "")


def test_the_first_difference_is_told_by_update_and_array():
    one = [{"a": ("1",), "b": ("2",)}, {"a": ("3",)}]
    assert first_difference(one, [{"a": ("1",)}, {"a": ("4",)}]) == (2, "a")
    assert first_difference(one, [{"c": ("1",)}]) is None
    assert first_difference(one, one[:1]) is None
    sizes = [{"a": (sized(1.0), sized(math.nan))}]
    assert first_difference(sizes, [{"a": (sized(1.001), sized(math.nan))}]) is None
    assert first_difference(sizes, [{"a": (sized(1.1), sized(math.nan))}]) == (1, "a")
    assert first_difference([{"a": (sized(0.1, 5.0),)}], [{"a": (sized(0.2, 5.0),)}]) == (1, "a")
    # A bias in front of a normalisation, under Adam: what it moves by is rounding alone.
    assert first_difference([{"a": (sized(0.01, 5.0),)}], [{"a": (sized(0.02, 5.0),)}]) is None


def run_of(*sums: float, dtype: str = "torch.float32") -> list[dict[str, tuple[str, ...]]]:
    bits = hash((sums, dtype))
    return [{"a": (f"{bits} {dtype} {' '.join(map(repr, sums))}",)}]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (run_of(1.00002, 0.5), True),
        (run_of(1.0002, 0.5), False),
        (run_of(1.0, 0.5, dtype="torch.float64"), False),
        ([{"a": ("another torch.int64",)}], False),
        ([{"b": ("another array",)}], True),
    ],
)
def test_rounding_explains_what_runs_that_round_otherwise_show(other, expected):
    assert rounds(run_of(1.0, 0.5), other, run_of(1.000001, 0.5)) is expected


def test_nothing_is_explained_by_a_moved_run_that_fails():
    assert not rounds(run_of(1.0, 0.5), run_of(1.0, 0.500001), [])


CHOOSING = (
    HEAD
    + """
import time
took = {}
for way in range(9):
    began = time.perf_counter()
    sum(range(100))
    took[way] = time.perf_counter() - began
torch.rand(1 + min(took, key=took.get))  # the quickest of nine ways
for epoch in range(2):
    train()
"""
)


@pytest.mark.slow
def test_a_script_that_depends_on_the_clock_is_another_one_with_a_leaping_clock(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    file = Path(tmp_path / "train.py")
    for text, others in ((CHOOSING, True), (SCRIPT, False)):
        file.write_text(text)
        witness = Witness(Source("train.py", file), recorder=record_plainly)
        runs = [witness.again(leaps=leaps).updates for leaps in range(4)]
        assert any(first_difference(runs[0], run) is not None for run in runs) is others


@pytest.mark.slow
def test_a_moved_plain_run_differs_by_rounding(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = Path(tmp_path / "train.py")
    file.write_text(SCRIPT)
    witness = Host(Source("train.py", file)).witness
    plain, one, other = (witness.again(moved=moved).updates for moved in (False, True, True))
    assert first_difference(plain, one) is not None
    assert rounds(plain, one, other)
    file.write_text(SCRIPT.replace("manual_seed(0)", "manual_seed(1)"))
    assert not rounds(plain, witness.again().updates, one)


@pytest.mark.slow
def test_the_process_of_a_plain_run_records_its_first_updates(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = Path(tmp_path / "train.py")
    file.write_text(SCRIPT)
    witness = Witness(Source("train.py", file), recorder=record_plainly)
    witness.begin()
    run = witness.first_updates()
    witness.close()
    assert run is not None
    assert not run.is_whole
    assert len(run.updates) == 3
    assert {"the loss", "0.scale", "1.weight", "2.running_mean"} <= run.updates[0].keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", SOUND)
def test_a_sound_script_is_held_against_its_plain_run(name):
    training = scripts.script(scripts.FOLDER / f"{name}.py")
    try:
        training.begin_witness(0)
        _ = TrainingStart(training, "float32").baseline
        assert training.disturbance == ""
        assert training.failing_plainly is None
        training.epochs(0)
        training.updates(0)
    finally:
        training.close()


@pytest.mark.slow
def test_a_seed_that_is_read_off_a_clock_is_no_disturbance(tmp_path):
    """The plain run may begin in the same second as the check."""
    text = SCRIPT.replace(
        "torch.manual_seed(0)", "torch.manual_seed(int(__import__('time').time()))"
    )
    (tmp_path / "train.py").write_text(text)
    done = in_a_process("check", "train.py", "--skip", "symmetry/*", "--no-explain", cwd=tmp_path)
    assert done.status == 0, done
    assert "seeds with another number in each run" in done.out


def test_wrappers_that_are_not_freed_yet_are_no_difference():
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(layer.parameters(), 0.1)
    found = []
    for count in (1, 3):
        log = UpdateLog()
        wrapped = [nn.Sequential(layer) for _ in range(count)]
        with updates.recorded(log):
            optimizer.step()
        found.append(log.updates[0]["0.weight"])
        wrapped.clear()
    assert found[0] == found[1]
