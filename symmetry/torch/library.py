"""PyTorch as a library: importing this module does not import it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from symmetry.base.libraries import Launcher, Library, Replay, Seeding


def _torch() -> Any:
    return sys.modules["torch"]


def _generators() -> Sequence[Any]:
    torch = _torch()
    cuda = torch.cuda.default_generators if torch.cuda.is_initialized() else ()
    return [torch.default_generator, *cuda]


def _seed(seed: int) -> None:
    torch = _torch()
    if _is_for_cpus(torch):  # ``manual_seed`` formats the stack for each device that is not there
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


@cache
def _is_for_cpus(torch: Any) -> bool:
    """Return whether this PyTorch was built for CPUs alone."""
    others = (torch.version.cuda, torch.version.hip, getattr(torch.version, "xpu", None))
    return not any(others) and not torch.backends.mps.is_built()


def _seedings() -> Sequence[Seeding]:
    return [(_torch(), "seed", "torch.manual_seed(0)", _seed_again)]


def _seed_again(seed: int) -> int:
    torch, seed = _torch(), seed % (1 << 63)
    torch.default_generator.manual_seed(seed)  # whoever calls ``torch.manual_seed`` is watched
    torch.cuda.manual_seed_all(seed)
    return seed


def _one_thread() -> Callable[[], None]:
    torch = _torch()  # it may have a pool of threads of its own
    number = torch.get_num_threads()
    torch.set_num_threads(1)
    return lambda: torch.set_num_threads(number)


class _Nodes:
    """The nodes that autograd makes."""

    def running(self) -> int | None:
        """Return the node whose derivative is computed now."""
        node = _torch()._C._current_autograd_node()
        return node._sequence_nr() if node else None

    def last(self) -> int:
        """Return the node that was made last."""
        return int(_torch().autograd._get_sequence_nr()) - 1


def _has_compiled() -> bool:
    dynamo = sys.modules.get("torch._dynamo.utils")
    return dynamo is not None and dynamo.counters["frames"]["ok"] > 0


def _array(text: str, dtype: str) -> str:
    return f"torch.from_numpy({text})" + (".bfloat16()" if dtype == "bfloat16" else "")


TORCH = Library(
    imports=("torch",),
    title="PyTorch",
    packages=frozenset({"torch"}),
    phases={"torch/autograd": "backward", "torch/optim": "optimizer", "torch/nn": "forward"},
    callers={("torch", "run.py"): "step"},
    writers=(("torch", "save", 1), ("torch.jit", "save", 1)),
    homes=("TORCH_HOME",),
    cache=("TORCHINDUCTOR_CACHE_DIR", "torchinductor"),
    generators=_generators,
    seed=_seed,
    seedings=_seedings,
    seeders=lambda: [(_torch(), "manual_seed")],
    one_thread=_one_thread,
    nodes=_Nodes(),
    has_compiled=_has_compiled,
    idle=("torch.compile",),
    launcher=Launcher(
        name="torchrun",
        command="torchrun --nproc-per-node {number} -m {module}",
        marker="TORCHELASTIC_RUN_ID",
        seeding="torch.manual_seed(seed + rank)",
    ),
    replay=Replay(
        imports="import torch",
        seed="torch.manual_seed(0)",
        array=_array,
        result="result.detach().double().numpy()",
    ),
)
