"""Broken JAX trainings, and the invariants that must catch each."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.jax.sound import classified, classifier, mlp, updated


class Fault(NamedTuple):
    """A broken training, the invariants that catch it, and the library that it needs."""

    make: Callable[[], Any]
    caught_by: tuple[str, ...]
    library: str = "jax"


ENTRIES: dict[str, Fault] = {}


def fault(
    *caught_by: str, library: str = "jax"
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Enter a training into the zoo."""

    def enter(make: Callable[[], Any]) -> Callable[[], Any]:
        ENTRIES[make.__name__] = Fault(make, caught_by, library)
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


@fault("training/jit")
def a_counter_that_jit_freezes() -> Any:
    calls: list[None] = []

    def change(gradients: Any) -> Any:
        import jax

        calls.append(None)
        return jax.tree.map(lambda g: g / len(calls), gradients)

    return mlp(change=change)


@fault("symmetry/repeatable")
def initial_numbers_without_a_seed() -> Any:
    import jax
    import jax.numpy as jnp

    def step(w: Any, _: Any) -> Any:
        return w - 0.1 * jax.grad(lambda w: jnp.tanh(w).sum() ** 2)(w)

    return jax.random.normal(jax.random.key(int.from_bytes(os.urandom(3))), (5,)), step


@fault("training/finite")
def the_root_of_a_norm_of_zeros() -> Any:
    import jax
    import jax.numpy as jnp

    def step(w: Any, _: Any) -> Any:
        return w - 0.1 * jax.grad(lambda w: jnp.sqrt((w**2).sum()))(w)

    return jnp.zeros(5), step


@fault("model/functions")
def a_custom_vjp_without_the_inner_derivative() -> Any:
    import jax

    @jax.custom_vjp
    def act(x: Any) -> Any:
        return jax.numpy.tanh(x)

    act.defvjp(lambda x: (jax.numpy.tanh(x), x), lambda x, g: (g * (1 - jax.numpy.tanh(x)),))
    return mlp(act=act)


@fault("training/same-noise", library="optax")
def one_key_for_all_dropout() -> Any:
    return classifier(key=lambda key, _: key)


@fault("training/handed-on", library="optax")
def moments_that_are_dropped() -> Any:
    def update(optimizer: Any, gradients: Any, moments: Any, params: Any) -> Any:
        updates, _ = updated(optimizer, gradients, moments, params)
        return updates, moments

    return classifier(update=update)


@fault("symmetry/samples")
def the_last_sample_is_left_out() -> Any:
    return classified(lambda losses: losses[:-1].mean())
