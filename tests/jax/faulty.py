"""Broken JAX trainings, and the invariants that must catch each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.jax.sound import mlp


class Fault(NamedTuple):
    """A broken training, and the names of the invariants that catch it."""

    make: Callable[[], Any]
    caught_by: tuple[str, ...]


ENTRIES: dict[str, Fault] = {}


def fault(*caught_by: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Enter a training into the zoo."""

    def enter(make: Callable[[], Any]) -> Callable[[], Any]:
        ENTRIES[make.__name__] = Fault(make, caught_by)
        return make

    return enter


UNITS = "symmetry/permutation", "symmetry/clones"


@fault(*UNITS)
def clipping_leaves_out_the_last_column() -> Any:
    import jax
    import jax.numpy as jnp

    def clip(gradient: Any) -> Any:
        return gradient.at[..., :-1].set(jnp.clip(gradient[..., :-1], -1e-3, 1e-3))

    return mlp(change=lambda gradients: jax.tree.map(clip, gradients))


@fault(*UNITS)
def custom_vjp_that_halves_the_last_unit() -> Any:
    import jax

    @jax.custom_vjp
    def act(x: Any) -> Any:
        return jax.nn.relu(x)

    act.defvjp(
        lambda x: (jax.nn.relu(x), x),
        lambda x, g: ((g * (x > 0)).at[..., -1].multiply(0.5),),
    )
    return mlp(act=act)
