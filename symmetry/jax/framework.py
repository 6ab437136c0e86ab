"""JAX as a library, and as a framework of trainings. To import this module does not import JAX."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from symmetry.base import libraries
from symmetry.base.libraries import Library
from symmetry.jax.tensorflow import TENSORFLOW
from symmetry.training import frameworks
from symmetry.training.frameworks import Setting

if TYPE_CHECKING:
    from symmetry.jax.run import JaxRun
    from symmetry.sandbox.source import Source
    from symmetry.training.target import Training

_CACHE = "JAX_COMPILATION_CACHE_DIR"
_NUMPY = "save", "savez", "savez_compressed"
_FLAX = "save_checkpoint", "save_checkpoint_multiprocess"
_FLAX_READS = "restore_checkpoint", "latest_checkpoint"


def _seeders() -> Sequence[tuple[Any, str]]:
    random = sys.modules["jax"].random
    return [(random, "PRNGKey"), (random, "key")]


JAX = Library(
    imports=("jax",),
    seeders=_seeders,
    packages=frozenset({"jax", "jaxlib"}),
    programs={
        _CACHE: "{folder}",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    },
    homes=(_CACHE,),
    observed="JAX's operations were evaluated one by one, not compiled",
    threads="JAX's own threads were started with it and cannot be limited",
    folders=(
        ("etils.epath.register", "make_path", 0),  # of Orbax, and of all that uses epath
        *(("flax.training.checkpoints", name, 0) for name in (*_FLAX, *_FLAX_READS)),
    ),
    saves=(
        ("pickle", "", "dump"),
        ("pickle", "", "dumps"),
        *(("numpy", "", name) for name in _NUMPY),
        *(("jax.numpy", "", name) for name in _NUMPY),
        ("joblib", "", "dump"),
        ("cloudpickle", "", "dump"),
        ("cloudpickle", "", "dumps"),
        ("safetensors.flax", "", "save_file"),
        ("safetensors.numpy", "", "save_file"),
        *(("flax.serialization", "", name) for name in ("to_bytes", "msgpack_serialize")),
        *(("flax.training.checkpoints", "", name) for name in _FLAX),
        ("equinox", "", "tree_serialise_leaves"),
        ("orbax.checkpoint", "CheckpointManager", "save"),
        ("orbax.checkpoint", "Checkpointer", "save"),
        ("orbax.checkpoint", "AsyncCheckpointer", "save"),
    ),
)


OLDEST = 0, 10
SETTINGS = (
    Setting(
        name="jit",
        words="without jax.jit",
        has="jax.jit",
        reason="a compiled step computes what its operations compute one after the other",
    ),
)


def register() -> None:
    """Let runs of JAX trainings begin here."""
    libraries.register(JAX, TENSORFLOW)
    frameworks.register(
        "jax",
        frameworks.Framework(
            begin,
            recognises,
            title="JAX",
            settings=SETTINGS,
            script=script,
            needed=("jax",),
            imports=frozenset({"jax", "flax", "equinox", "haiku", "optax"}),
            calls=frozenset({"grad", "value_and_grad", "filter_grad", "filter_value_and_grad"}),
        ),
    )


def script(source: Source) -> Training:
    """Return a script as a training."""
    from symmetry.jax.script.script import JaxScript

    return JaxScript(source)


def recognises(returned: Any) -> bool:
    """Return whether a function that returns this is a JAX training: its state holds arrays."""
    jax = sys.modules.get("jax")
    if jax is None or not isinstance(returned, tuple) or len(returned) not in (2, 3):
        return False
    from symmetry.jax.made import is_array

    return callable(returned[1]) and any(map(is_array, jax.tree.leaves(returned[0])))


def begin(*args: Any, **kwargs: Any) -> JaxRun:
    """Begin a run: see ``symmetry.jax.begin``.

    Raises
    ------
    TrainingError
        If the function raises, or returns anything but a training.
    SymmetryError
        If JAX is too old.
    """
    frameworks.refuse_older("jax", "JAX", OLDEST)
    from symmetry.jax.begin import begin

    return begin(*args, **kwargs)
