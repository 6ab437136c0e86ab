"""Scripts on two ranks: laws catch their mistakes, and accuse no script that is nearly wrong."""

from __future__ import annotations

import gc
import os
import re
import time
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

import symmetry
from symmetry.base import fork
from symmetry.base.errors import Failure
from symmetry.base.processes import children
from symmetry.law.measurement import Measurement
from symmetry.observe.source_line import SourceLine
from symmetry.targets.script import script
from symmetry.torch.script.ranks import plain
from symmetry.torch.script.ranks.launch import RanksError, launch
from symmetry.torch.script.ranks.plain import _Collective
from tests.catalogues import TRAININGS
from tests.cli.process import symmetry as in_a_process
from tests.conftest import slow

SCRIPT = """
import os
import torch
from torch import distributed, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

distributed.init_process_group("gloo")
rank, world = distributed.get_rank(), distributed.get_world_size()
torch.manual_seed(0)
numbers = torch.Generator().manual_seed(1)
x, y = torch.randn(96, 6, generator=numbers), torch.randint(3, (96,), generator=numbers)
y = torch.where(torch.rand(96, generator=numbers) < {shown}, y, -100)
data = TensorDataset(x, y)
model = DistributedDataParallel(nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
{before}
loader = DataLoader(data, 8, {order})
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
for epoch in range(2):
    for x, y in loader:
        optimizer.zero_grad()
        loss = {loss}
        loss.backward()
        optimizer.step()
        {after}
"""
MEAN = "cross_entropy(model(x), y)"
BALANCE = f"{MEAN} + 0.1 * model(x).square().mean()"
OF_ALL = (
    "cross_entropy(model(x), y, reduction='sum') * world / (distributed.all_reduce("
    "shown := (y >= 0).sum()), shown)[1]"
)
SAMPLER = "sampler=DistributedSampler(data, world, rank)"
PLAIN = {
    "shown": 2,
    "before": "steps = 2 * len(data) // (8 * world)\nrate = lambda step: 1 - step / steps",
    "order": SAMPLER,
    "loss": MEAN,
    "after": "scheduler.step()",
}
SEEDED = f"{PLAIN['before']}\ntorch.manual_seed(7 + rank)"
TWICE = "scheduler.step(); scheduler.step()"
FAULTS: dict[str, dict[str, Any]] = {
    "training/replicas": {"after": "model.module[0].bias.data += 1e-3 * rank"},
    "ranks/world": {"loss": f"{BALANCE} / world"},
    "ranks/draws": {"loss": "cross_entropy(model(x + 0.1 * torch.randn_like(x)), y)"},
    "ranks/data": {"order": "shuffle=True"},
    "ranks/weights": {"shown": 0.5},
    "ranks/schedule": {"after": TWICE},
}
SOUND: dict[str, dict[str, Any]] = {
    "training/replicas": {"after": "model.module[0].bias.data += 1e-3"},
    "ranks/world": {"loss": BALANCE},
    "ranks/draws": {**FAULTS["ranks/draws"], "before": SEEDED},
    "ranks/data": {},
    "ranks/weights": {"shown": 0.5, "loss": OF_ALL},
    "ranks/schedule": {"before": PLAIN["before"].replace("2 * len", "4 * len"), "after": TWICE},
}
NAMES = [name if name == "ranks/world" else slow(name) for name in FAULTS]


@pytest.fixture
def training(folder):
    """Return a function that returns the training of a script with these parts."""

    def make(**parts: Any) -> Any:
        (folder / "other.py").write_text(SCRIPT.format(**{**PLAIN, **parts}))
        return script("other.py", ranks=2).training

    return make


def measured(name: str, training: Any) -> Measurement:
    invariant = next(each for each in TRAININGS if each.name == name)
    start = SimpleNamespace(target=training, capabilities={*invariant.needs}, seed=0)
    return invariant.measured(start)


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_is_caught(training, name):
    found = measured(name, training(**FAULTS[name]))
    notes = [note.name for note in found.notes]
    assert found.violation is not None or notes == [name]


@pytest.mark.parametrize("name", NAMES)
def test_a_script_that_is_nearly_wrong_is_not_accused(training, name):
    found = measured(name, training(**SOUND[name]))
    assert found.violation is None
    assert not found.notes
    assert found.counted


OF_FIRST = """
import copy
class Average(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net, self.average = net, copy.deepcopy(net)
if rank == 0:
    average = {made}
"""


@pytest.mark.slow
@pytest.mark.parametrize("made", ["Average(model.module)", "copy.deepcopy(model.module)"])
def test_an_average_that_one_rank_holds_has_no_copies(training, made):
    before = f"{OF_FIRST.format(made=made)}\n{PLAIN['before']}"
    sound = measured("training/replicas", training(before=before))
    assert sound.violation is None
    assert sound.counted
    wrong = training(before=before, **FAULTS["training/replicas"])
    found = measured("training/replicas", wrong).violation
    assert "0.bias is not the same on all ranks: rank 1 differs" in found.message


# Each rank makes its share of the micro-batches of an update.
SHARED_PIECES = (
    SCRIPT.replace("optimizer.zero_grad()", "pieces = 4 // world")
    .replace("for x, y in loader", "for i, (x, y) in enumerate(loader, 1)")
    .replace("optimizer.step()", "i % pieces or (optimizer.step(), optimizer.zero_grad())")
)


@pytest.mark.slow
@pytest.mark.parametrize(("by", "is_right"), [("pieces", True), ("4", False)])
def test_ranks_that_share_the_micro_batches_of_an_update(folder, by, is_right):
    text = SHARED_PIECES.format(**PLAIN | {"loss": f"cross_entropy(model(x), y) / {by}"})
    (folder / "other.py").write_text(text)
    found = measured("ranks/world", script("other.py", ranks=2).training)
    assert (found.violation is None) == is_right
    assert found.counted


@pytest.mark.slow
def test_parameters_in_parts_lose_no_invariant_of_the_loop(folder):
    """FSDP takes the memory of whole parameters away between two uses.

    It runs in a process of its own: behind it forks of this one would wait for ever.
    """
    shards = (
        "from torch.distributed.fsdp import fully_shard\n"
        "model = model.module\nfully_shard(model[0])\nfully_shard(model)\n"
        "optimizer = torch.optim.SGD(model.parameters(), 0.1)\n"
    )
    order = SAMPLER.replace("rank)", "rank, shuffle=False)")
    parts = {**PLAIN, "before": f"{shards}{PLAIN['before']}", "order": order}
    (folder / "other.py").write_text(SCRIPT.format(**parts))
    asked = "check", "other.py", "--ranks", "2", "--only", "loop/*", "--no-explain", "--verbose"
    done = in_a_process(*asked, cwd=folder)
    assert done.status == 0, done.err
    assert re.search(r"loop/gradients +float32 +holds", done.out)
    assert "error" not in done.out


@pytest.mark.slow
def test_losses_that_ranks_add_up_are_not_judged(training):
    added = "cross_entropy(model(x), y, reduction='sum') * world"
    found = measured("ranks/world", training(loss=added))
    assert found.violation is None
    assert "ranks add up their gradients" in found.note


@pytest.mark.slow
@pytest.mark.parametrize(("reduction", "notes"), [("sum", []), ("mean", ["ranks/world"])])
def test_means_that_ranks_add_up_have_a_note(training, reduction, notes):
    added = "p.register_post_accumulate_grad_hook(lambda p: distributed.all_reduce(p.grad))"
    before = f"model = model.module\n[{added} for p in model.parameters()]\n{PLAIN['before']}"
    loss = f"cross_entropy(model(x), y, reduction='{reduction}')"
    found = measured("ranks/world", training(before=before, loss=loss))
    assert "ranks add up their gradients" in found.note
    assert [note.name for note in found.notes] == notes


OF_RANKS = f"from torch.distributed.nn.functional import all_gather, all_reduce\n{PLAIN['before']}"
SMALLER = (
    "Loader = DataLoader\nDataLoader = lambda data, n, **order: Loader(data, n // world, **order)"
)
CORRELATED = "all_reduce(model(x).t() @ model(x) / 8).square().mean()"
CONTRASTED = (
    "(z := torch.cat(all_gather(model(x))), "
    "(z @ z.t()).fill_diagonal_(-1e9).logsumexp(1).mean())[1]"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "loss", "why"),
    [
        (f"{OF_RANKS}\n{SMALLER}", CORRELATED, "on one rank its batches have another size"),
        (OF_RANKS, CONTRASTED, "it compares the samples of all ranks with each other"),
        ("model = model.module\nmodel[0].bias.data += rank", MEAN, "do not hold the same"),
    ],
)
def test_what_one_rank_cannot_be_compared_with(training, before, loss, why):
    found = measured("ranks/world", training(before=f"{PLAIN['before']}\n{before}", loss=loss))
    assert found.violation is None
    assert why in found.note


@pytest.mark.slow
def test_noise_of_numpy_is_a_draw(training):
    drawn = "torch.from_numpy(numpy.random.normal(size=(8, 6))).float()"
    loss = f"cross_entropy(model(x + {drawn}), y)"
    for seed, notes in (("7", ["ranks/draws"]), ("7 + rank", [])):
        before = f"import numpy\nnumpy.random.seed({seed})\n{PLAIN['before']}"
        found = measured("ranks/draws", training(before=before, loss=loss))
        assert [note.name for note in found.notes] == notes


def failure_of(training: Any, monkeypatch: Any) -> Any:
    monkeypatch.setattr(plain, "_PATIENCE", 2.0)
    found = training.on_ranks()
    assert not found.each
    return found.failure


@pytest.mark.slow
def test_ranks_that_wait_for_each_other_are_named_with_their_places(training, monkeypatch):
    waits = "distributed.all_reduce(torch.ones(1)) if not rank else None"
    sleeps = "rank and __import__('time').sleep(60)"
    script = training(before=f"{PLAIN['before']}\n{waits}\n{sleeps}")
    found = failure_of(script, monkeypatch)
    assert found.text == "waits for ever on rank 0 of 2; rank 1 is at other.py:21"
    assert (found.file, found.line) == ("other.py", 20)


@pytest.mark.slow
def test_an_error_on_one_rank_is_a_failure_of_the_script(training, monkeypatch):
    script = training(before=f"{PLAIN['before']}\n1 / (1 - rank)")
    found = failure_of(script, monkeypatch)
    assert found.text.startswith("raises ZeroDivisionError: division by zero on rank 1 of 2")
    assert measured("training/runs", script).violation.line == found.line
    assert measured("ranks/data", script).note == "it fails on its ranks"


@pytest.mark.slow
@pytest.mark.parametrize(
    "after",
    [
        "if rank == 0: distributed.all_reduce(loss.detach())",
        "if rank == 1: break",
    ],
)
def test_ranks_that_do_not_call_the_same_collectives_fail(training, monkeypatch, after):
    found = failure_of(training(after=after), monkeypatch)
    assert "on rank" in found.text


def test_the_collectives_of_ranks_are_compared():
    line = SourceLine("train.py", 7)
    both = [_Collective("barrier", line)]
    assert plain._unequal([both, both]) is None
    found = plain._unequal([[*both, _Collective("all_reduce", line)], both])
    assert found == Failure(
        "RanksError",
        "calls all_reduce on rank 0 of 2; rank 1 has ended without it",
        "train.py",
        7,
    )


@pytest.mark.slow
def test_nothing_is_said_of_ranks_that_a_script_does_not_use(folder):
    (folder / "other.py").write_text("import torch\nprint(torch.ones(2).sum())")
    found = script("other.py", ranks=2).training.on_ranks()
    assert found.why_not_observed == "the script does not use its ranks"


OF_GPUS = """
import torch
from torch import distributed, nn
model = nn.Linear(6, 3)
if torch.cuda.is_available():
    distributed.init_process_group("nccl")
    model = nn.parallel.DistributedDataParallel(model.cuda())
{otherwise}
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(8):
    optimizer.zero_grad()
    model(torch.randn(4, 6)).square().mean().backward()
    optimizer.step()
"""


@pytest.mark.slow
@pytest.mark.parametrize("otherwise", ["", "else:\n    raise SystemExit"])
def test_a_script_that_only_uses_ranks_on_gpus_runs_on_them(folder, otherwise):
    (folder / "other.py").write_text(OF_GPUS.format(otherwise=otherwise))
    found = script("other.py", ranks=2).training.on_ranks()
    assert [run.replicates for run in found.each] == [True, True]


@pytest.mark.slow
def test_as_one_rank_it_lacks_several(training):
    found = training()
    found.begin().close()
    assert found.facts.substitution.words == "run as one rank and on 2 ranks"
    assert found.facts.substitution.lines() == ()
    found.close()


@pytest.mark.slow
def test_a_script_that_cannot_be_one_rank_is_judged_on_its_ranks(training):
    needs_two = training(before=f"{PLAIN['before']}\nassert world == 2")
    found = symmetry.check(needs_two, only=("training/moves", "training/replicas", "ranks/*"))
    kinds = {verdict.invariant: verdict.kind for verdict in found}
    assert kinds["training/replicas"] == kinds["ranks/data"] == "holds"
    assert kinds["training/moves"] == "not applicable"
    assert kinds["ranks/world"] == "vacuous"


@pytest.mark.skipif(not fork.POSSIBLE, reason="processes are forked on Linux alone")
def test_a_rank_does_not_end_what_this_process_has_left():
    """The threads that a left group of ranks waits for are not in a fork."""
    ended = []

    class Left:
        def __init__(self):
            self.itself = self

        def __del__(self):
            ended.append(True)

    def ended_in_a_rank():
        gc.collect()
        return len(ended)

    gc.disable()
    try:
        Left()
        assert launch("mine", [ended_in_a_rank], 60.0) == [0]
    finally:
        gc.enable()
    gc.collect()
    assert ended


@pytest.mark.skipif(not fork.POSSIBLE, reason="processes are forked on Linux alone")
def test_ranks_that_wait_in_native_code_are_ended():
    reading, writing = os.pipe()
    before = children()
    with pytest.raises(
        RanksError, match=r"mine on 2 ranks: rank 0: it has waited for 0\.3 seconds"
    ):
        launch("mine", [partial(os.read, reading, 1), lambda: None], 0.2)
    assert children() <= before
    for number in (reading, writing):
        os.close(number)


@pytest.mark.skipif(not fork.POSSIBLE, reason="processes are forked on Linux alone")
def test_a_rank_that_computes_does_not_wait():
    def compute():
        until = time.process_time() + 0.6
        while time.process_time() < until:
            pass
        return 1

    assert launch("mine", [compute], 0.2) == [1]
