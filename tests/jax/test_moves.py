"""Notes on parameters that stay, or move by their gradients, while others are trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.conftest import needs

pytestmark = needs("jax")


def training(update):
    import jax
    import jax.numpy as jnp

    def step(params, i):
        def loss(params):
            return ((jnp.arange(5.0) * params["a"]).sum() - params["b"]) ** 2

        gradients = jax.grad(loss)(params)
        a, b = params["a"], params["b"]
        return {"a": a - 0.01 * gradients["a"], "b": update(b, gradients["b"])}

    return {"a": jnp.ones(5), "b": jnp.zeros(())}, step


@pytest.mark.parametrize(
    ("update", "notes"),
    [
        (lambda p, _: p, ["training/still"]),
        (lambda p, g: p + g, ["training/raw"]),
        (lambda p, g: p - g, []),
    ],
    ids=["frozen", "raw", "trained"],
)
def test_a_parameter_that_is_not_trained_as_others_is_noted(update, notes):
    target = FunctionTraining("training", lambda: training(update))
    checked = check_target(target, only="training/moves")
    assert [note.name for note in checked.notes] == notes
    assert [verdict.kind for verdict in checked.verdicts] == ["holds"]


def nothing_moves(change):
    """Return a training none of whose parameters move: by its loss, or by its updates."""
    import jax
    import jax.numpy as jnp
    import optax

    tx = {"rate": optax.adam(0.0), "accumulated": optax.MultiSteps(optax.adam(1e-3), 9)}.get(
        change, optax.sgd(1e-2, momentum=0.9)
    )

    def step(state, _):
        params, moments = state

        def loss(params):
            made = jnp.tanh(jnp.arange(1.0, 6.0) * params["a"])
            return ((jax.lax.stop_gradient(made) if change == "cut" else made) - 3.0).sum() ** 2

        gradients = jax.grad(loss)(params)
        if change == "summed":  # as a function does that another one follows
            return params, jax.tree.map(jnp.add, moments, gradients)
        updates, moments = tx.update(gradients, moments, params)
        return (params if change == "kept" else optax.apply_updates(params, updates)), moments

    params = {"a": jnp.ones(5)}
    return (params, params if change == "summed" else tx.init(params)), step


@needs("optax")
@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        (
            "cut",
            "violated",
            "nothing can move: in 4 steps the gradient of every parameter is zero. ",
        ),
        ("rate", "violated", "nothing can move: the step multiplies each update by a learning"),
        ("kept", "violated", "updates the moments of its optimiser, and returns all parameters"),
        ("summed", "vacuous", "returns all parameters as it takes them: nothing is trained"),
        ("accumulated", "vacuous", ""),
    ],
)
def test_a_training_in_which_nothing_can_move_is_accused(change, kind, text):
    target = FunctionTraining("training", lambda: nothing_moves(change))
    checked = check_target(target, only="training/moves")
    (verdict,) = checked.verdicts
    assert verdict.kind == kind
    if kind == "violated":
        assert text in verdict.violation.message
        assert verdict.violation.file.endswith("test_moves.py")
    else:
        assert [text in note.text for note in checked.notes] == [True] * bool(text)


@pytest.mark.parametrize(("size", "notes"), [(100.0, ["training/still"]), (0.01, [])])
def test_updates_that_are_rounded_away_in_16_bits_are_noted(size, notes):
    import jax
    import jax.numpy as jnp

    def step(w, _):
        return w - (1e-3 * jax.grad(lambda w: (w * 0.5).sum())(w)).astype(w.dtype)

    target = FunctionTraining("t", lambda: (jnp.full(3, size, jnp.bfloat16), step))
    checked = check_target(target, only="training/moves")
    assert [note.name for note in checked.notes] == notes
    assert all("rounded away" in note.text for note in checked.notes)


def test_a_parameter_that_moves_by_its_gradient_is_noted_at_the_line_of_its_update():
    target = FunctionTraining("training", lambda: training(lambda p, g: p + g))
    (note,) = check_target(target, only="training/moves").notes
    assert note.file.endswith("test_moves.py")
    line = Path(__file__).read_text("utf-8").splitlines()[note.line - 1]
    assert "lambda p, g: p + g" in line


def cut(change):
    """Return a training in which something is done with what one parameter makes."""
    import jax
    import jax.numpy as jnp

    def step(params, i):
        def loss(params):
            hidden = change(jnp.tanh(jnp.arange(5.0) * params["a"]))
            return jax.nn.logsumexp(hidden + params["b"])

        return jax.tree.map(lambda p, g: p - 0.1 * g, params, jax.grad(loss)(params))

    return {"a": jnp.ones(5), "b": jnp.ones(5)}, step


def test_a_gradient_that_is_cut_off_is_noted_at_the_line_of_the_operation():
    import jax

    target = FunctionTraining("training", lambda: cut(jax.lax.stop_gradient))
    (note,) = check_target(target, only="training/moves").notes
    assert note.name == "training/cut"
    place = f"(tests/jax/test_moves.py:{note.line})"
    assert f"in each step: jax.lax.stop_gradient() {place} cuts it off" in note.text
    line = Path(__file__).read_text("utf-8").splitlines()[note.line - 1]
    assert "change(jnp.tanh(" in line


def test_a_generator_that_is_cut_off_from_its_critic_is_noted_at_the_line():
    import jax
    import jax.numpy as jnp

    def critic(b, x):  # its derivative compares x with 0: that cuts nothing off
        return jnp.tanh(jax.nn.leaky_relu(x) * b).sum()

    def step(params, _):
        a, b = params["a"], params["b"]
        made = jnp.tanh(a * jnp.arange(1.0, 6.0))
        b = b - 0.1 * jax.grad(lambda b: critic(b, made) - critic(b, jnp.ones(5)))(b)

        def loss(a):
            return -3 * critic(b, jax.lax.stop_gradient(jnp.tanh(a * jnp.arange(1.0, 6.0))))

        return {"a": a - 0.1 * jax.grad(loss)(a), "b": b}

    start = {"a": jnp.ones(5), "b": jnp.ones(5)}
    (note,) = check_target(
        FunctionTraining("training", lambda: (start, step)), only="training/moves"
    ).notes
    assert note.name == "training/cut"
    line = Path(__file__).read_text("utf-8").splitlines()[note.line - 1]
    assert "critic(b, jax.lax.stop_gradient(" in line


def test_the_largest_entry_that_a_softmax_subtracts_cuts_nothing_off():
    from symmetry.jax.begin import begin
    from symmetry.jax.parts.model import gradients_of

    run = begin("training", lambda: cut(lambda hidden: hidden))
    assert gradients_of(run).cut_of({"model.a"}) is None
