"""JAX as a library: importing this module does not import it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from symmetry.base.libraries import Library

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
