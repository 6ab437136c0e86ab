"""The loop around the steps of a script in JAX: mistakes are accused at their lines."""

from __future__ import annotations

import pytest

from symmetry.jax.script.script import JaxScript
from symmetry.sandbox.source import Source
from symmetry.training.events import Called, Updated
from tests.checking import check_target
from tests.conftest import needs

pytestmark = needs("jax")

SCRIPT = """
import jax
import jax.numpy as jnp
import numpy as np

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(80, 5)).astype("float32"), rng.integers(0, 3, 80)
params = {"a": jnp.asarray(0.3 * rng.normal(size=(5, 6)), "float32"), "b": jnp.full((6, 3), 0.1)}
mean = jnp.zeros(6)

def scores(params, mean, x, key, train):
    hidden = jnp.tanh(x @ params["a"])
    center = hidden.mean(0) if train else mean
    if train and key is not None:
        hidden = jnp.where(jax.random.bernoulli(key, 0.8, hidden.shape), hidden / 0.8, 0)
    return (hidden - center) @ params["b"], 0.9 * mean + 0.1 * center

def loss_of(params, mean, x, y, key):
    found, mean = scores(params, mean, x, key, True)
    chosen = jnp.take_along_axis(jax.nn.log_softmax(found), y[:, None], 1)
    return -chosen.mean(), mean

@jax.jit
def step(params, mean, x, y, key):
    (loss, mean), gradient = jax.value_and_grad(loss_of, has_aux=True)(params, mean, x, y, key)
    return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient), mean, loss

@jax.jit
def evaluate(params, mean, x, y, key):
    found, mean = scores(params, mean, x, key, False)
    return (found.argmax(-1) == y).mean()

key = jax.random.key(1)
for epoch in range(6):
    order = np.asarray(jax.random.permutation(jax.random.fold_in(key, epoch), 64))
    for i in range(0, 64, 4):
        key, own = jax.random.split(key)
        rows = order[i : i + 4]
        params, mean, loss = step(params, mean, X[rows], Y[rows], own)
    for j in range(64, 80, 4):
        accuracy = evaluate(params, mean, X[j : j + 4], Y[j : j + 4], key)
"""
TRAINS = "scores(params, mean, x, key, False)"


def changed(*pairs: tuple[str, str]) -> str:
    """Return the script with other texts."""
    text = SCRIPT
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


LEARNS = changed(
    (TRAINS, "scores(params, mean, x, None, True)"),
    ("return (found.argmax(-1) == y).mean()", "return (found.argmax(-1) == y).mean(), mean"),
    ("accuracy = evaluate", "accuracy, mean = evaluate"),
)
SAME_ROWS = "rows = np.asarray(jax.random.randint({}, (4,), 0, 64))"
DONATED = "from functools import partial\n@partial(jax.jit, donate_argnums=0)\ndef step"
EVALUATED = SCRIPT[SCRIPT.index("    for j in") :]
UNREAD = "    jax.grad(lambda p: (p['a'] ** 2).sum())(params)\n"
FAULTS = {
    "dropout is active": (changed((TRAINS, TRAINS.replace("False", "True"))), "loop/evaluation"),
    "statistics are learnt": (LEARNS, "loop/evaluation"),
    "a key made in the loop": (
        changed(("key, own = jax.random.split(key)", "own = jax.random.PRNGKey(7)")),
        "loop/batches",
    ),
    "one key": (
        changed(("        key, own = jax.random.split(key)\n", ""), (", own)", ", key)")),
        "loop/batches",
    ),
    "one choice": (
        changed(("rows = order[i : i + 4]", SAME_ROWS.format("jax.random.key(3)"))),
        "loop/batches",
    ),
    "gradients that nothing reads": (
        changed(
            (
                "    return jax.tree.map(lambda p",
                UNREAD + "    return jax.tree.map(lambda p",
            )
        ),
        "loop/gradients",
    ),
    "donated and read": (
        changed(
            ("@jax.jit\ndef step", DONATED),
            ("    for j in", "    best = params if epoch == 0 else best\n    for j in"),
        )
        + "print(best['a'].sum())\n",
        "training/runs",
    ),
    "donated where no step is computed, and read": (
        changed(
            ("@jax.jit\ndef step", DONATED),
            (EVALUATED, "    best = params if epoch == 0 else best\n"),
        )
        + "print(best['a'].sum())\n",
        "training/runs",
    ),
}
LABELS = "        labels = np.asarray(evaluate(params, mean, X[rows] + 1, Y[rows], key))\n"
MEAN_OF_SEVERAL = """
    keys = jax.random.split(key, 7)
    several = jax.vmap(lambda key: scores(params, mean, x, key, True)[0])
    return (several(keys).mean(0).argmax(-1) == y).mean()
"""
ACTS = """
@jax.jit
def act(params, mean, state, key):
    one, other = jax.random.split(key)
    found, _ = scores(params, mean, state, one, True)
    return jax.random.categorical(other, found)

"""
GAME = """        states, actions, state = [], [], X[i]
        for _ in range(4):
            key, own = jax.random.split(key)
            actions.append(int(act(params, mean, state, own)))
            states.append(state)
            state = (0.9 * state + 0.1 * actions[-1] + rng.normal(size=5)).astype("float32")
"""
LOGGED = """    params = jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient)
    return params, mean, (loss, loss_of(params, mean, x, y, probe)[0])"""
ADDED_UP = """    old = mean
    def add(total, rows):
        (loss, new), gradient = jax.value_and_grad(loss_of, has_aux=True)(params, old, *rows, key)
        return jax.tree.map(lambda t, g: t + g / 2, total, gradient), (loss, new)
    rows = x.reshape(2, 2, 5), y.reshape(2, 2)
    gradient, (loss, means) = jax.lax.scan(add, jax.tree.map(jnp.zeros_like, params), rows)
    loss, mean = loss.mean(), means.mean(0)
"""
GRADIENT = SCRIPT[
    SCRIPT.index("    (loss, mean), gradient") : SCRIPT.index("    return jax.tree.map")
]
KEPT = "    best = jax.tree.map(jnp.copy, params) if epoch == 0 else best\n"
SOUND = {
    "as it is": SCRIPT,
    "donated, and kept as a copy": changed(("@jax.jit\ndef step", DONATED), (EVALUATED, KEPT))
    + "print(best['a'].sum())\n",
    "micro-batches in a loop of JAX": changed((GRADIENT, ADDED_UP)),
    "a policy that drops out": changed(
        ("key = jax.random.key(1)\n", f"{ACTS}key = jax.random.key(1)\n"),
        ("        key, own = jax.random.split(key)\n        rows", f"{GAME}        rows"),
        ("X[rows], Y[rows], own", "np.array(states), np.array(actions), own"),
    ),
    "a fixed sample that is only logged": changed(
        ("def step(params, mean, x, y, key)", "def step(params, mean, x, y, key, probe)"),
        (
            "    return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient), mean, loss",
            LOGGED,
        ),
        ("Y[rows], own)", "Y[rows], own, PROBE)"),
        ("key = jax.random.key(1)\n", "key, PROBE = jax.random.split(jax.random.key(1))\n"),
    ),
    "a key for each epoch": changed(
        ("        key, own = jax.random.split(key)\n", ""),
        ("    order =", "    key, own = jax.random.split(key)\n    order ="),
    ),
    "several samples of dropout": SCRIPT.replace(
        "    found, mean = scores(params, mean, x, key, False)\n"
        "    return (found.argmax(-1) == y).mean()\n",
        MEAN_OF_SEVERAL,
    ),
    "labels of a teacher": changed(
        (TRAINS, TRAINS.replace("False", "True")),
        ("return (found.argmax(-1) == y).mean()", "return found.argmax(-1)"),
        ("        params, mean, loss =", LABELS + "        params, mean, loss ="),
        ("Y[rows], own)", "labels, own)"),
    ),
    "a few samples that are always the same": changed(
        ("jax.random.fold_in(key, epoch)", "jax.random.key(2)")
    ),
    "choices of the samples": changed(("rows = order[i : i + 4]", SAME_ROWS.format("own"))),
    "arrays that are donated": changed(("@jax.jit\ndef step", DONATED)),
}

CLIENT = """
@jax.jit
def step(params, momentum, x, y):
    gradient = jax.grad(loss_of, has_aux=True)(params, mean, x, y, None)[0]
    momentum = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, momentum, gradient)
    return jax.tree.map(lambda p, m: p - 0.1 * m, params, momentum)

momentum = jax.tree.map(jnp.zeros_like, params)
for epoch in range(3):
    start = params
    for i in range(0, 64, 4):
        params = step(params, momentum, X[i : i + 4], Y[i : i + 4])
    {}
"""
HEAD = SCRIPT[: SCRIPT.index("@jax.jit\ndef step")]
SERVER = "momentum = jax.tree.map(lambda p, q: (p - q) / 1.6, start, params)"


@pytest.fixture
def training(tmp_path):
    """Return a function that makes a training of a script's text."""
    made = []

    def make(text):
        (file := tmp_path / "train.py").write_text(text)
        made.append(JaxScript(Source("train.py", file, [], folder=tmp_path)))
        return made[-1]

    yield make
    for each in made:
        each.close()


ONLY = ("loop/*", "training/runs")


@pytest.mark.parametrize("name", FAULTS)
def test_a_mistake_of_the_loop_is_accused(training, name):
    text, law = FAULTS[name]
    checked = check_target(training(text), only=ONLY)
    assert {v.invariant for v in checked.verdicts if v.kind == "violated"} == {law}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_loop_is_not_accused_and_has_no_notes(training, name):
    checked = check_target(training(SOUND[name]), only=ONLY)
    assert [v.message for v in checked.verdicts if v.kind in ("violated", "error")] == []
    assert checked.notes == ()
    kinds = {v.invariant: v.kind for v in checked.verdicts}
    assert (kinds["loop/batches"], kinds["training/runs"]) == ("holds", "holds")
    assert kinds["loop/attributes"] == kinds["loop/modes"] == "not applicable"


def test_an_evaluation_with_the_statistics_of_its_batch_is_a_note(training):
    text = changed((TRAINS, "scores(params, mean, x, None, True)"))
    checked = check_target(training(text), only="loop/evaluation")
    assert [verdict.kind for verdict in checked.verdicts] == ["holds"]
    (note,) = checked.notes
    assert note.name == "loop/batch-statistics"
    assert note.text.startswith(
        "the model is evaluated with the statistics of each batch, not with the running ones: "
    )
    assert "train.py:16 computes new running statistics, and nothing is given them." in note.text


@pytest.mark.parametrize(("behind", "kind"), [(SERVER, "vacuous"), ("", "violated")])
def test_averages_that_a_server_renews_are_not_dropped(training, behind, kind):
    made = training(HEAD + CLIENT.format(behind))
    (verdict,) = check_target(made, only="training/handed-on").verdicts
    assert verdict.kind == kind


@pytest.mark.parametrize(("trains", "kind"), [(False, "violated"), (True, "vacuous")])
def test_dropped_statistics_are_accused_if_an_evaluation_reads_them(training, trains, kind):
    text = changed(
        ("params, mean, loss = step", "params, _, loss = step"),
        (TRAINS, f"scores(params, mean, x, None, {trains})"),
    )
    checked = check_target(training(text), only="training/handed-on")
    (verdict,) = checked.verdicts
    assert verdict.kind == kind
    assert [note.name for note in checked.notes] == ["training/dropped-statistics"] * trains
    if kind == "violated":
        assert "so that an evaluation reads the one of the start. Return" in verdict.message


def test_averages_in_a_loop_of_jax_whose_caller_may_renew_them_are_a_note(training):
    text = (
        HEAD
        + """
@jax.jit
def client(params, momentum, xs, ys):
    def update(params, batch):
        gradient = jax.grad(loss_of, has_aux=True)(params, mean, *batch, None)[0]
        change = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, momentum, gradient)
        return jax.tree.map(lambda p, m: p - 0.1 * m, params, change), None
    return jax.lax.scan(update, params, (xs, ys))[0]

client(params, jax.tree.map(jnp.zeros_like, params), X.reshape(10, 8, 5), Y.reshape(10, 8))
"""
    )
    checked = check_target(training(text), only="training/handed-on")
    assert [verdict.kind for verdict in checked.verdicts] == ["vacuous"]
    (note,) = checked.notes
    assert note.name == "training/dropped-averages"
    assert (
        "the new value of an array of shape (5, 6) that it is given and 1 other array" in note.text
    )


MODELS = """
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

X = np.random.default_rng(0).normal(size=(72, 5)).astype("float32")

class Net(eqx.Module):
    first: eqx.nn.Linear
    last: eqx.nn.Linear
    drop: eqx.nn.Dropout

    def __init__(self, rate):
        self.first, self.last = (eqx.nn.Linear(5, 5, key=jax.random.key(n)) for n in range(2))
        self.drop = eqx.nn.Dropout(rate)

    def __call__(self, x, key=None):
        return self.last(self.drop(jnp.tanh(self.first(x)), key=key))

@eqx.filter_jit
def step(model, x, key):
    def loss_of(model):
        return ((jax.vmap(model)(x, jax.random.split(key, len(x))) - x) ** 2).mean()
    gradient = eqx.filter_grad(loss_of)(model)
    return jax.tree.map(lambda w, g: w if g is None else w - 0.1 * g, model, gradient)

@eqx.filter_jit
def evaluate(model, x):
    return ((jax.vmap(model)(x) - x) ** 2).mean()

def train(model):
    key = jax.random.key(1)
    for epoch in range(3):
        for i in range(0, 64, 8):
            key, own = jax.random.split(key)
            model = step(model, X[i : i + 8], own)
        quiet = eqx.nn.inference_mode(model)
        score = evaluate(quiet, X[64:])

for rate in (0.5, 0.0):
    train(Net(rate))
"""


@needs("equinox")
@pytest.mark.parametrize("is_kept", [False, True])
def test_each_model_of_a_script_has_a_mode_of_its_own(training, is_kept):
    text = MODELS.replace("quiet", "model") if is_kept else MODELS
    made = training(text)
    checked = check_target(made, only="loop/*")
    messages = [v.message for v in checked.verdicts if v.kind in ("violated", "error")]
    assert len(messages) == is_kept
    assert all(text.startswith("inference_mode() is never undone: ") for text in messages)
    assert [model.dropouts for model in made.epochs().models] == [1, 0]


def test_the_texts_of_mistakes_name_lines_and_cures(training):
    checked = check_target(training(FAULTS["a key made in the loop"][0]), only="loop/batches")
    (verdict,) = checked.verdicts
    text = FAULTS["a key made in the loop"][0]
    made = text[: text.index("own = jax.random.PRNGKey")].count("\n") + 1
    drawn = text[: text.index("jax.random.bernoulli")].count("\n") + 1
    assert verdict.message.startswith(
        "this draws dropout with the same key, 96 times: it is made from the same seed each time ("
    )
    assert verdict.message.endswith(f"train.py:{made}). Make a key once, and split it in the loop.")
    assert verdict.violation is not None
    assert verdict.violation.line == drawn


def test_only_the_first_steps_of_each_epoch_are_computed(training):
    epochs = training(SCRIPT.replace("range(6)", "range(3)")).epochs()
    assert epochs.is_whole
    assert len(epochs.of(Updated)) == 12
    evaluations = [e for e in epochs.of(Called) if not e.gradient]
    assert len(evaluations) == 12
    assert {e.loader for e in evaluations}.isdisjoint(epochs.training_loaders)


def test_a_script_that_trains_in_a_loop_of_jax_has_no_epochs(training):
    text = SCRIPT[: SCRIPT.index("@jax.jit\ndef evaluate")]
    text += """
@jax.jit
def train(params, mean, key):
    def body(carry, key):
        params, mean = carry
        params, mean, loss = step(params, mean, X[:8], Y[:8], key)
        return (params, mean), loss
    return jax.lax.scan(body, (params, mean), jax.random.split(key, 50))
train(params, mean, jax.random.key(0))
"""
    assert training(text).epochs() is None


ROWS = "rows = torch.utils.data.TensorDataset(*map(torch.tensor, (X, Y)))\n"
LOADERS = {
    "torch": (
        "import torch",
        ROWS + "loader = torch.utils.data.DataLoader(rows, 4, shuffle=True)\n",
        "((x.numpy(), y.numpy()) for x, y in loader)",
        "torch.manual_seed(0)\n",
        "PyTorch",
    ),
    "tensorflow": (
        "import tensorflow as tf",
        "loader = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(80).batch(4)\n",
        "loader.as_numpy_iterator()",
        "tf.random.set_seed(0)\n",
        "TensorFlow",
    ),
}
LOOP_OF = """
for epoch in range(6):
    for x, y in {batches}:
        params, mean, loss = step(params, mean, x, y, jax.random.key(epoch))
"""


@pytest.mark.parametrize("is_seeded", [False, True])
@pytest.mark.parametrize(
    "library", ["torch", pytest.param("tensorflow", marks=needs("tensorflow"))]
)
def test_loaders_without_a_seed_are_the_same_in_each_run_and_named(library, is_seeded, tmp_path):
    imports, loader, batches, seed, title = LOADERS[library]
    head = SCRIPT[: SCRIPT.index("key = jax.random.key(1)")]
    text = f"{imports}\n{head}{seed if is_seeded else ''}{loader}{LOOP_OF.format(batches=batches)}"
    (file := tmp_path / "train.py").write_text(text)
    training = JaxScript(Source("train.py", file, (), folder=tmp_path))
    try:
        checked = check_target(training, only="symmetry/repeatable", dtype="float32")
        assert [verdict.kind for verdict in checked.verdicts] == ["holds"]
        training.epochs()
        assert training.facts.without_seed == (() if is_seeded else (title,))
    finally:
        training.close()
