"""PyTorch as a library, and as a framework of trainings. Importing this does not import PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from symmetry.base import libraries
from symmetry.base.libraries import Launcher, Library, Replay, Seeding
from symmetry.torch import libraries as beside
from symmetry.training import frameworks
from symmetry.training.frameworks import Setting

_CACHE = "TORCHINDUCTOR_CACHE_DIR"


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
    homes=("TORCH_HOME", _CACHE),
    programs={_CACHE: "{folder}"},
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


if TYPE_CHECKING:
    from symmetry.sandbox.source import Source
    from symmetry.torch.run import TorchRun
    from symmetry.training.events import Epochs
    from symmetry.training.target import Training

OLDEST = 2, 6
SETTINGS = (
    Setting(
        name="loops",
        words="with optimisers that go through parameters in another way",
        has="optimiser that can go through parameters in two ways",
        reason="each parameter is updated by itself",
        default=False,
    ),
    Setting(
        name="scale",
        words="with the loss scale times 2^-6",
        has="gradient scaler",
        reason="gradients are divided by the scale before anything is done with them",
        of_device=True,
    ),
    Setting(
        name="attention",
        words="with attention by products and a softmax",
        has="scaled_dot_product_attention",
        reason="it is another way to compute the same",
        default=False,
    ),
    Setting(
        name="kernels",
        words="with convolutions by other kernels",
        has="convolutions",
        reason="it is another way to compute the same",
        default=False,
    ),
    Setting(
        name="threads",
        words="with another number of threads",
        has="threads",
        reason="threads share work, and only rounding depends on how",
        default=False,
    ),
)


def register() -> None:
    """Let runs of PyTorch trainings begin here."""
    libraries.register(TORCH, *_beside())
    frameworks.register(
        "torch",
        frameworks.Framework(
            begin,
            recognises,
            epochs,
            title="PyTorch",
            settings=SETTINGS,
            copied=copied,
            script=script,
            needed=("torch", "greenlet"),
            imports=frozenset({"torch"}),
            decisive=frozenset({"backward"}),
            calls=frozenset({"backward", "fit", "train"}),
            named={"hf-tiny:": tiny},
        ),
    )


def _beside() -> Iterator[Library]:
    """Yield the libraries that have a file in ``symmetry.torch.libraries``."""
    for file in iter_modules(beside.__path__, f"{beside.__name__}."):
        yield import_module(file.name).LIBRARY


def script(source: Source) -> Training:
    """Return a script as a training."""
    from symmetry.torch.script.script import Script

    return Script(source)


def tiny(kind: str) -> Callable[[], Any]:
    """Return the function that trains a small model of a type of transformers."""
    from symmetry.torch.tiny_models import tiny_training

    return tiny_training(kind)


def recognises(returned: Any) -> bool:
    """Return whether a function that returns this is a PyTorch training."""
    torch = sys.modules.get("torch")
    model = returned[0] if isinstance(returned, tuple) and returned else None
    return torch is not None and isinstance(model, torch.nn.Module)


def begin(*args: Any, **kwargs: Any) -> TorchRun:
    """Begin a run: see ``symmetry.torch.begin``.

    Raises
    ------
    TrainingError
        If the function raises, or returns anything but a training.
    SymmetryError
        If PyTorch is too old.
    """
    frameworks.refuse_older("torch", "PyTorch", OLDEST)
    from symmetry.torch.begin import begin

    return begin(*args, **kwargs)


def epochs(*args: Any, **kwargs: Any) -> Epochs | None:
    """Take steps with evaluations between them: see ``run_function``."""
    from symmetry.torch.script.epochs.function import run_function

    return run_function(*args, **kwargs)


def copied(*model: Any) -> tuple[Any, AbstractContextManager[None]]:
    """Return the training of copies of a model, and a block that leaves the model alone."""
    from symmetry.torch.copied import CopiedTraining, untouched

    return CopiedTraining(*model), untouched(model[0])
