"""A script in JAX: the jitted function that is called with its own results is its step."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from symmetry.base.errors import NotCheckable, SymmetryError, TrainingError
from symmetry.jax.script.script import JaxScript
from symmetry.sandbox.source import Source
from tests.cli.inside import symmetry as command
from tests.conftest import needs

pytestmark = needs("jax")

HEAD = """
import jax
import jax.numpy as jnp
import numpy as np

rng = np.random.default_rng(0)
params = {"w1": rng.normal(size=(5, 6)), "w2": rng.normal(size=(6, 3))}
params = jax.tree.map(lambda w: jnp.asarray(0.3 * w, jnp.float32), params)
x, y = np.empty((8, 5), "float32"), np.empty(8, int)

def loss_of(params, x, y):
    scores = jax.nn.log_softmax(jnp.tanh(x @ params["w1"]) @ params["w2"])
    return -jnp.take_along_axis(scores, y[:, None], 1).mean()

def batches(count):
    for _ in range(count):
        x[:], y[:] = rng.normal(size=x.shape), rng.integers(0, 3, y.shape)
        yield x, y  # the same arrays, filled anew
"""
RECORDED = 16  # steps
LOOP = """
@jax.jit
def step(params, x, y):
    loss, gradient = jax.value_and_grad(loss_of)(params, x, y)
    return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient), loss

for x, y in batches(30):
    params, loss = step(params, x, y)
"""


def leaves_of(tree):
    import jax

    return jax.tree.leaves(tree)


@pytest.fixture
def made(tmp_path):
    """Return a function that runs a script, and returns the training that it makes."""

    def make(text, head=HEAD, *arguments):
        (file := tmp_path / "train.py").write_text(head + text)
        script = JaxScript(Source("train.py", file, arguments, folder=tmp_path))
        try:
            return script()
        finally:
            script.close()

    return make


def test_its_state_its_step_and_its_batches_are_told(made):
    state, step, extras = made(LOOP)
    assert {name: np.shape(array) for name, array in state.items()} == {"w1": (5, 6), "w2": (6, 3)}
    first, second = (extras["batch"](i) for i in range(2))
    assert first["batch"]["x"].shape == (8, 5)
    assert not np.array_equal(first["batch"]["x"], second["batch"]["x"])
    after, rest = step(state, first)
    assert {name: np.shape(array) for name, array in after.items()} == {
        "w1": (5, 6),
        "w2": (6, 3),
    }
    assert [np.ndim(loss) for loss in leaves_of(rest)] == [0]
    assert not np.array_equal(after["w1"], state["w1"])


ON_DEVICES = """
from functools import partial

@partial(jax.pmap, axis_name="devices", static_broadcasted_argnums=3)
def step(params, batch, key, rate):
    x, y = batch
    x = x + 0.01 * jax.random.normal(key, x.shape)
    gradient = jax.lax.pmean(jax.grad(loss_of)(params, x, y), "devices")
    return jax.tree.map(lambda p, g: p - rate * g, params, gradient)

params = jax.tree.map(lambda w: w[None], params)
for n, (x, y) in enumerate(batches(30)):
    params = step(params, (x[None], y[None]), jax.random.PRNGKey(n)[None], 0.1)
"""


def test_a_step_that_is_mapped_over_one_device_is_that_of_one_row(made):
    state, step, extras = made(ON_DEVICES)
    assert {name: np.shape(array) for name, array in state.items()} == {"w1": (5, 6), "w2": (6, 3)}
    given = extras["batch"](0)
    assert [leaf.shape for leaf in leaves_of(given["batch"])] == [(8, 5), (8,)]
    after, _ = step(state, given)
    assert np.shape(after["w1"]) == (5, 6)
    assert not np.array_equal(after["w1"], state["w1"])


WITH_A_COPY = LOOP.replace("step(params, x, y)", "step(params, x, y, old)").replace(
    "for x, y", "old = params\nfor x, y"
)


def test_a_copy_of_its_state_that_stays_is_a_part_of_it(made):
    text = WITH_A_COPY.replace("0.1 * g, params", "0.1 * g - 0.1 * (p - o), params").replace(
        "lambda p, g", "lambda p, g, o"
    )
    state, step, extras = made(text.replace("params, gradient)", "params, gradient, old)"))
    assert {*state} == {"params", "old"}
    after, _ = step(state, extras["batch"](0))
    assert np.array_equal(after["old"]["w1"], state["old"]["w1"])
    assert not np.array_equal(after["params"]["w1"], state["params"]["w1"])


def test_a_copy_that_the_script_moves_is_as_it_was_recorded(made):
    text = WITH_A_COPY.replace("0.1 * g, params", "0.1 * g - 0.1 * o, params").replace(
        "lambda p, g", "lambda p, g, o"
    )
    text = text.replace("params, gradient)", "params, gradient, old)")
    state, step, extras = made(text + "    old = jax.tree.map(lambda p: 0.5 * p, old)\n")
    assert {*state} == {"w1", "w2"}
    first = extras["batch"](0)
    later = first | {"number": np.int32(1)}
    moved = np.asarray(step(state, later)[0]["w1"] - step(state, first)[0]["w1"])
    assert np.allclose(moved, 0.05 * np.asarray(state["w1"]), atol=1e-6)


def test_it_ends_once_enough_steps_are_seen(made, tmp_path):
    _, _, extras = made(LOOP + "    __import__('pathlib').Path('steps.txt').write_text('.')\n")
    assert extras["batch"](RECORDED - 1)["number"] == RECORDED - 1
    with pytest.raises(TrainingError, match=r"16 of its steps were recorded: a check takes more$"):
        extras["batch"](RECORDED)
    assert [file.name for file in tmp_path.iterdir()] == ["train.py"]  # it wrote into its mirror


def test_arguments_that_are_donated_or_static_and_keys_are_as_in_the_script(made):
    state, step, extras = made(
        """
from functools import partial

@partial(jax.jit, donate_argnums=0, static_argnames="rate")
def step(params, moments, x, y, key, rate):
    noise = 0.1 * jax.random.normal(key, x.shape)
    gradient = jax.grad(loss_of)(params, x + noise, y)
    moments = jax.tree.map(lambda m, g: 0.9 * m + g, moments, gradient)
    return moments, jax.tree.map(lambda p, m: p - rate * m, params, moments)

key, moments = jax.random.PRNGKey(0), jax.tree.map(jnp.zeros_like, params)
for x, y in batches(30):
    key, own = jax.random.split(key)
    moments, params = step(params, moments, x, y, key=own, rate=0.1)
"""
    )
    assert {*state} == {"params", "moments"}
    first = extras["batch"](0)
    assert {name for name, value in first["batch"].items() if leaves_of(value)} == {"x", "y"}
    after, _ = step(state, first)
    again, _ = step(state, {**first, "number": np.int32(1)})  # another key
    assert {*after} == {"params", "moments"}
    assert not np.array_equal(after["params"]["w1"], again["params"]["w1"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("for x, y in batches(9):\n    jax.grad(loss_of)(params, x, y)\n", "no jitted function"),
        (LOOP.replace("@jax.jit", ""), "the outputs of no jitted function are its next inputs"),
        (
            """
gradient_of = jax.jit(jax.grad(loss_of))
update = jax.jit(lambda p, g: jax.tree.map(lambda p, g: p - 0.1 * g, p, g))
for number, (x, y) in enumerate(batches(9)):
    gradient = gradient_of(params, x, y)
    params = update(params, gradient) if number != 1 else params
""",
            "its step <lambda> takes results of loss_of",
        ),
        (
            LOOP + "    params = jax.tree.map(lambda p: p * 1.5, params) if loss > 9 else params\n"
            "    if rng.random() < 0.5:\n        params = jax.tree.map(jnp.copy, params)\n",
            "takes an earlier state",
        ),
    ],
    ids=[
        "nothing is called",
        "nothing is jitted",
        "two functions",
        "changed",
    ],
)
def test_a_step_that_cannot_be_told_is_refused(made, text, words):
    with pytest.raises(NotCheckable, match=words) as caught:
        made(text)
    assert "write the training as a function that returns (state, step)" in str(caught.value)


def test_what_it_raises_is_one_line(made):
    with pytest.raises(TrainingError, match=r"raised ValueError: no data \(.*train.py:2\)"):
        made("raise ValueError('no data')\n", "import jax\n")


def test_a_name_that_hides_the_loss_later_does_so_behind_the_trace_only(made):
    text = LOOP.replace("params, loss = step", "params, loss_of = step")
    state, step, extras = made(text)
    after, _ = step(state, extras["batch"](0))
    assert not np.array_equal(after["w1"], state["w1"])


def test_objects_of_nnx_that_a_step_changes_are_its_state(made):
    pytest.importorskip("flax")
    optax = pytest.importorskip("optax")
    assert optax
    state, step, extras = made(
        """
import optax
from flax import nnx

class Net(nnx.Module):
    def __init__(self, rngs):
        self.first, self.last = nnx.Linear(5, 6, rngs=rngs), nnx.Linear(6, 3, rngs=rngs)

model = Net(nnx.Rngs(0))
optimizer = nnx.Optimizer(model, optax.sgd(0.1), wrt=nnx.Param)

@nnx.jit
def step(model, optimizer, x, y):
    def loss_of(model):
        scores = model.last(nnx.relu(model.first(x)))
        return optax.softmax_cross_entropy_with_integer_labels(scores, y).mean()
    loss, gradient = nnx.value_and_grad(loss_of)(model)
    optimizer.update(model, gradient)
    return loss

for x, y in batches(30):
    step(model, optimizer, x, y)
"""
    )
    shapes = {np.shape(leaf) for leaf in leaves_of(state)}
    assert {(5, 6), (6,), (6, 3), (3,)} <= shapes
    after, _ = step(state, extras["batch"](0))
    moved = [
        not np.array_equal(a, b) for a, b in zip(leaves_of(after), leaves_of(state), strict=True)
    ]
    assert sum(moved) >= 4


CHANGED = """
halve = jax.jit(lambda params: jax.tree.map(lambda p: p / 2, params))
""" + LOOP.replace("for x, y in", "for number, (x, y) in enumerate(").replace("30):", "30)):")


def test_steps_that_are_taken_before_the_state_is_changed_are_a_training(made):
    state, _, extras = made(CHANGED + "    if number == 3:\n        params = halve(params)\n")
    assert {*state} == {"w1", "w2"}
    assert extras["batch"](3)["number"] == 3
    with pytest.raises(TrainingError, match="4 of its steps were recorded"):
        extras["batch"](4)


def test_a_step_that_is_given_another_tree_later_is_recorded_up_to_there(made):
    """As ``nnx`` switches a model to evaluation."""
    text = LOOP.replace("(params, x, y):", "(params, x, y, mode=None):")
    text = text.replace("step(params, x, y)\n", "step(params, x, y, None if number < 5 else 0.0)\n")
    text = text.replace("for x, y in", "for number, (x, y) in enumerate(").replace("30):", "30)):")
    state, _, extras = made(text)
    assert {*state} == {"w1", "w2"}
    assert extras["batch"](4)["number"] == 4
    with pytest.raises(TrainingError, match="5 of its steps were recorded"):
        extras["batch"](5)


def test_a_state_that_is_changed_after_few_steps_is_refused(made):
    with pytest.raises(NotCheckable, match="its step step takes results of <lambda>"):
        made(CHANGED + "    if number == 2:\n        params = halve(params)\n")


def test_an_evaluation_that_returns_its_model_leaves_the_step_its_state(made):
    """As ``nnx.jit`` compiles it, where few steps lie between evaluations."""
    evaluate = "evaluate = jax.jit(lambda params, x: (params, (x @ params['w1']).sum()))\n"
    text = LOOP.replace("for x, y in", "for number, (x, y) in enumerate(").replace("30):", "9)):")
    state, _, extras = made(
        evaluate + text + "    if number % 3 == 2:\n        params, _ = evaluate(params, x)\n"
    )
    assert {*state} == {"w1", "w2"}
    assert extras["batch"](8)["number"] == 8


def test_a_policy_that_acts_more_often_than_it_trains_is_no_step(made):
    """It returns its next key; and all of its model, as ``nnx.jit`` compiles it."""
    acting = """
@jax.jit
def act(params, x, key):
    key, own = jax.random.split(key)
    return jax.random.categorical(own, jnp.tanh(x @ params["w1"]) @ params["w2"]), key

key = jax.random.key(0)
"""
    text = LOOP.replace("x, y in batches(30):", "x, _ in batches(6):\n    for _ in range(20):")
    text = text.replace("params, loss = step(params, x, y)", "    drawn, key = act(params, x, key)")
    text += "    params, loss = step(params, x, np.asarray(drawn))\n"
    state, _, extras = made(acting + text)
    assert {*state} == {"w1", "w2"}
    assert extras["batch"](5)["number"] == 5


IN_A_LOOP = """
@jax.jit
def step(params, x, y):
    def one(params, rows):
        loss, gradient = jax.value_and_grad(loss_of)(params, *rows)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient), loss

    params, losses = jax.lax.scan(one, params, (x.reshape(2, 4, 5), y.reshape(2, 4)))
    return params, losses.mean()

for x, y in batches(30):
    params, loss = step(params, x, y)
"""


@pytest.mark.parametrize("loop", [LOOP, IN_A_LOOP])
def test_an_environment_that_is_stepped_before_the_first_update_is_no_step(tmp_path, loop):
    """It has more numbers than the model, and is stepped more often; so in each run."""
    playing = """
@jax.jit
def play(place, force):
    return 0.9 * place + force

place = jnp.ones((40, 5))
"""
    text = loop.replace(
        "batches(30):", "batches(9):\n    for _ in range(40):\n        place = play(place, 0.1)"
    )
    text = text.replace("step(params, x, y)\n", "step(params, x + np.asarray(place)[:8], y)\n")
    (file := tmp_path / "train.py").write_text(HEAD + playing + text)
    script = JaxScript(Source("train.py", file, (), folder=tmp_path))
    try:
        for _ in range(2):
            state, _, extras = script()
            assert {*state} == {"w1", "w2"}
            assert extras["batch"](5)["number"] == 5
    finally:
        script.close()


def test_a_script_that_trains_in_one_jitted_call_has_the_body_of_its_loop_as_step(made):
    text = """
from functools import partial
from jax import lax

def update(params, batch):
    loss, gradient = jax.value_and_grad(loss_of)(params, *batch)
    return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient), loss

@partial(jax.jit, static_argnames="epochs")
def train(params, xs, ys, epochs):
    def epoch(params, key):
        order = jax.random.permutation(key, len(xs))
        return lax.scan(update, params, (xs[order], ys[order]))
    return lax.scan(epoch, params, jax.random.split(jax.random.key(0), epochs))

params, losses = train(params, jnp.ones((6, 8, 5)), jnp.zeros((6, 8), int), epochs=900)
raise RuntimeError("it was run to its end")
"""
    training = made(text)
    assert {*training.state} == {"w1", "w2"}
    assert training.batch(0)["batch"][0].shape == (8, 5)
    assert "its step is update (" in training.part
    assert "the body of a lax.scan that trains" in training.part


SCANNED = """
import optax
from flax import nnx

@nnx.jit
def update(net, optimizer, xs, ys):
    @nnx.scan(in_axes=(nnx.Carry, 0, 0), out_axes=nnx.Carry)
    def body(carry, x, y):
        net, optimizer = carry
        def loss_of(net):
            return optax.softmax_cross_entropy_with_integer_labels(net(x), y).mean()
        optimizer.update(net, nnx.grad(loss_of)(net))
        return net, optimizer

    body((net, optimizer), xs, ys)

net = nnx.Linear(5, 3, rngs=nnx.Rngs(0))
optimizer = nnx.Optimizer(net, optax.sgd(0.1), wrt=nnx.Param)
for _ in range(9):
    pairs = [(x.copy(), y.copy()) for x, y in batches(4)]
    update(net, optimizer, *map(np.stack, zip(*pairs)))
"""


def test_the_body_of_a_loop_of_nnx_can_be_called_behind_it(made):
    pytest.importorskip("flax")
    pytest.importorskip("optax")
    training = made(SCANNED)
    before = {np.shape(leaf): np.asarray(leaf) for leaf in leaves_of(training.state)}
    after, _ = training.step(training.state, training.batch(0))  # NNX empties what it is given
    for leaf in leaves_of(after):
        assert np.shape(leaf) not in [(5, 3), (3,)] or (leaf != before[np.shape(leaf)]).any()
    assert {(5, 3), (3,)} <= {*map(np.shape, leaves_of(after))}


def test_a_jitted_step_with_gradients_of_its_own_beside_a_loop_stays_the_step(made):
    _, step, extras = made(
        """
@jax.jit
def step(params, x, y):
    def update(params, _):
        gradient = jax.grad(loss_of)(params, x, y)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient), None
    gradient = jax.grad(loss_of)(params, x, y)
    params = jax.tree.map(lambda p, g: p + 0.1 * g, params, gradient)
    return jax.lax.scan(update, params, None, 3)[0]

for x, y in batches(30):
    params = step(params, x, y)
"""
    )
    assert step is not None
    assert extras["batch"](3)["batch"]["x"].shape == (8, 5)


@pytest.mark.slow
def test_a_gradient_that_is_clipped_but_for_its_last_column_is_named_with_its_line(tmp_path):
    clipped = "    g['w1'] = g['w1'].at[:, :-1].set(jnp.clip(g['w1'][:, :-1], -1e-3, 1e-3))\n"
    text = HEAD + LOOP.replace("gradient", "g").replace("    return", f"{clipped}    return")
    (tmp_path / "train.py").write_text(text)
    done = command("check", "train.py", cwd=tmp_path)
    assert done.status == 1, done.err
    line = text[: text.index("g['w1'] =")].count("\n") + 1
    assert f"train.py:{line} treats unit" in done.out
    (tmp_path / "train.py").write_text(HEAD + LOOP)
    done = command("check", "train.py", cwd=tmp_path)
    assert (done.status, "train.py: sound" in done.out) == (0, True), done.out + done.err


def test_files_of_the_user_that_change_are_told(tmp_path):
    (file := tmp_path / "train.py").write_text(HEAD + LOOP)
    (data := tmp_path / "data.bin").write_bytes(bytes(2 << 20))  # too large to be copied
    script = JaxScript(Source("train.py", file, folder=tmp_path))
    script()
    data.write_bytes(b"other")
    with pytest.raises(SymmetryError, match=r"data.bin changed while it ran"):
        script.close()


def test_the_plain_run_is_a_fork_that_need_not_import_jax(tmp_path):
    """It is one in a process in which JAX has not computed yet, and so has no threads."""
    (file := tmp_path / "train.py").write_text(HEAD + LOOP)
    code = (
        "import sys; from pathlib import Path\n"
        "from symmetry.jax.script.script import JaxScript\n"
        "from symmetry.sandbox.source import Source\n"
        "file = Path(sys.argv[1])\n"
        "script = JaxScript(Source(file.name, file, (), folder=file.parent))\n"
        "script.begin_witness(0)\n"
        "run = script._witness.first_updates()\n"
        "print(script._witness._first.is_fork, len(run.updates), run.failure)\n"
        "script.close()"
    )
    variables = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, str(file)]
    out = subprocess.check_output(command, text=True, env=variables, timeout=300)
    assert out.split() == ["True", "4", "None"]
