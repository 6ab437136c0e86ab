"""Scripts that ask for a GPU, or for ranks, run without; others run as they are."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

import symmetry
from symmetry.base.devices import Substitution
from symmetry.base.errors import SymmetryError, TrainingError
from tests.conftest import slow
from tests.torch.script.helpers import script, steps_of

SCRIPT = """
import os, sys, torch
from torch import nn
{before}
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)){module}
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(8):
    x, y = torch.randn(4, 6){tensor}, torch.randint(3, (4,)){tensor}
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
    {after}
"""
PLAIN = {"before": "", "module": "", "tensor": "", "after": ""}
ON_CUDA = {**PLAIN, "module": ".cuda()", "tensor": '.to("cuda")'}
ASKING = {
    "moves": ON_CUDA,
    "asserts": {**PLAIN, "before": "assert torch.cuda.is_available()"},
    "ends without": {**PLAIN, "before": "if not torch.cuda.is_available(): sys.exit()"},
    "exits without": {
        **PLAIN,
        "before": 'if not torch.cuda.is_available(): sys.exit("a GPU is needed")',
    },
    "divides": {**PLAIN, "before": "size = 8 // torch.cuda.device_count()"},
    "synchronises": {**PLAIN, "after": "torch.cuda.synchronize()"},
    "a library": {**PLAIN, "before": 'torch.zeros(1, device="cuda")'},
}
RANKS = {
    "reads its rank": {
        **PLAIN,
        "before": 'rank = int(os.environ["LOCAL_RANK"])\n'
        'torch.distributed.init_process_group("gloo")',
        "module": "\nmodel = nn.parallel.DistributedDataParallel(model)",
    },
    "by nccl": {
        **ON_CUDA,
        "before": 'torch.distributed.init_process_group("nccl")\n'
        'torch.cuda.set_device(int(os.environ["RANK"]))',
    },
}
SPAWNS = """
import torch
import torch.multiprocessing as mp
from torch import distributed, nn

def main(rank, world, rate):
    distributed.init_process_group(
        "nccl", init_method="tcp://127.0.0.1:29511", rank=rank, world_size=world
    )
    torch.manual_seed(0)
    model = nn.parallel.DistributedDataParallel(nn.Linear(6, 3).cuda(rank), device_ids=[rank])
    optimizer = torch.optim.SGD(model.parameters(), rate)
    for _ in range(8):
        optimizer.zero_grad()
        model(torch.randn(4, 6).cuda(rank)).square().mean().backward()
        optimizer.step()
    distributed.destroy_process_group()

if __name__ == "__main__":
    mp.spawn(main, args=(2, 0.1), nprocs=2)
"""


@pytest.fixture
def losses(folder):
    """Return a function that runs a script, and returns its losses and how it ran."""

    def run(text, **options):
        (folder / "other.py").write_text(text)
        training = script("other.py", **options)
        found = steps_of(training)
        how = training.facts.substitution
        training.close()
        return found, how

    return run


@pytest.mark.parametrize("parts", ASKING.values(), ids=ASKING)
def test_a_script_that_asks_for_cuda_has_the_bits_of_its_likeness(losses, parts):
    plain, how = losses(SCRIPT.format(**PLAIN))
    assert how is None
    found, how = losses(SCRIPT.format(**parts))
    assert found == plain
    assert how is None or how.device == "CUDA"


def test_what_is_mapped_is_said(losses):
    _, how = losses(SCRIPT.format(**ON_CUDA))
    assert how == Substitution("CUDA", (".cuda", "devices"))
    assert how.words == "run on the CPU in place of CUDA"
    assert how.lines() == ("  mapped: .cuda, devices", "  not tested: GPU kernels")


def test_a_script_that_chooses_its_device_runs_as_it_is(losses):
    chosen = '.to("cuda" if torch.cuda.is_available() else "cpu")'
    text = SCRIPT.format(**{**PLAIN, "module": chosen, "tensor": chosen})
    assert losses(text)[1] is None
    assert losses(text, device="cuda-on-cpu")[1].mapped == ("devices",)


def test_a_script_is_left_as_it_is_on_request(folder, losses):
    text = SCRIPT.format(**ON_CUDA)
    with pytest.raises(TrainingError, match=r"raised \w+: .*(?:CUDA|cuda|NVIDIA)"):
        losses(text, device="cpu")
    with pytest.raises(SymmetryError, match="device must be one of auto, cpu, cuda-on-cpu"):
        script("other.py", device="gpu")


def test_an_error_of_its_own_is_told_as_it_is(folder):
    (folder / "other.py").write_text(SCRIPT.format(**{**ON_CUDA, "before": "1 / 0"}))
    training = script("other.py")
    with pytest.raises(TrainingError, match="ZeroDivisionError"):
        training.begin()
    assert training.facts.substitution is None


@pytest.mark.parametrize("text", [*(SCRIPT.format(**parts) for parts in RANKS.values()), SPAWNS])
def test_a_script_that_needs_ranks_is_one(losses, text):
    found, how = losses(text)
    assert len(found) == 8
    assert how.alone
    assert "as one rank" in how.words
    assert how.lines()[-1].endswith("several ranks (--ranks 2)")


@pytest.mark.parametrize("ranks", [1, 2])
def test_one_of_several_ranks_sees_the_devices_of_all(losses, ranks):
    """Its run as one rank would end at once; started on one rank it does."""
    before = "if torch.cuda.device_count() < 2: sys.exit()\nrank = os.environ['RANK']"
    text = SCRIPT.format(**{**ON_CUDA, "before": before})
    if ranks == 1:
        with pytest.raises(TrainingError, match="it ends, and makes no PyTorch module"):
            losses(text, ranks=ranks)
    else:
        found, how = losses(text, ranks=ranks)
        assert len(found) == 8
        assert how.words == "run on the CPU in place of CUDA, as one rank and on 2 ranks"


FLOAT16 = Path(__file__).parents[2] / "sound" / "scripts" / "on_cuda"


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", ["classifier", slow("language"), slow("accumulated")])
def test_a_sound_script_in_float16_is_not_accused(folder, name):
    (folder / "other.py").write_text((FLOAT16 / f"{name}.py").read_text())
    quick = ("training/scale", "training/moves", "loop/*") if name == "classifier" else ()
    found = symmetry.check(symmetry.script("other.py"), only=quick)
    assert found.ok, found
    assert not found.notes
    kinds = {verdict.invariant: verdict.kind for verdict in found}
    assert kinds["training/scale"] == kinds["training/moves"] == "holds"
    assert {"GradScaler", "autocast float16"} <= {*found.facts.substitution.mapped}


REFUSED = {
    "import triton": "other.py:4 imports triton, whose kernels run on a GPU alone",
    "from torch.utils.cpp_extension import load\nload('fused', ['fused.cu'])": (
        "other.py:5 compiles the CUDA extension 'fused' with nvcc: it has no CPU version"
    ),
    "torch.cuda.CUDAGraph()": "other.py:4 captures a CUDA graph",
    "torch.fft.fft(torch.zeros(4, device='cuda').half())": "which does not exist on the CPU",
}


if find_spec("triton"):  # where PyTorch is for GPUs
    REFUSED.pop("import triton")


@pytest.mark.parametrize(("before", "message"), REFUSED.items())
def test_a_script_that_needs_a_gpu_is_refused(folder, before, message):
    (folder / "other.py").write_text(SCRIPT.format(**{**ON_CUDA, "before": before}))
    with pytest.raises(SymmetryError, match=message):
        symmetry.check(script("other.py"), only="symmetry/repeatable")


@pytest.mark.slow
def test_a_script_that_fails_on_a_gpu_fails_by_itself(folder):
    parts = {**ON_CUDA, "after": "{}['no']"}
    (folder / "train.py").write_text(SCRIPT.format(**parts))
    (found,) = symmetry.check("train.py", only=("training/finite",))
    assert found.kind == "error"
    assert "KeyError: 'no'" in found.message
