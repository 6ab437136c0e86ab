"""The first updates of scripts in JAX on a trace, and the laws that are judged on it."""

import pytest

from symmetry.invariants.loss.groups import groups
from symmetry.invariants.loss.influence import influence
from symmetry.invariants.loss.masks import masks
from symmetry.invariants.loss.same_policy import same_policy
from symmetry.jax.script.script import JaxScript
from symmetry.sandbox.source import Source

pytestmark = pytest.mark.slow

STEP = """
import jax, jax.numpy as jnp, numpy as np
from jax.lax import stop_gradient

def dense(key, *sizes):
    return [jax.random.normal(key, pair) / 4 for pair in zip(sizes, sizes[1:])]

def net(weights, x):
    for w in weights[:-1]:
        x = jnp.tanh(x @ w)
    return x @ weights[-1]

random = np.random.default_rng(0)
params, other = dense(jax.random.key(0), 6, 16, 4), dense(jax.random.key(1), 6, 16, 4)
{functions}

@jax.jit
def step(params, *batch):
    value, gradient = jax.value_and_grad(loss)(params, *batch)
    return jax.tree.map(lambda p, g: p - 0.5 * g, params, gradient), value

def real(*shape):
    return jnp.asarray(random.normal(size=shape), "float32")

def whole(most, *shape):
    return jnp.asarray(random.integers(0, most, shape))
"""

LOOP = """
for _ in range(4):
    params, value = step(params, {batch})
"""

DISTILLED = """
def loss(params, x):
    scores = net(params, x)
    goal = jax.nn.softmax(net(other, x))
    return {hard} - (goal * jax.nn.log_softmax({soft})).sum(-1).mean()
"""

MASKED = """
def loss(params, x, mask):
    keep = mask * (jnp.arange(5) < 3)
    return ((net(params, x) ** 2).mean(-1) * keep).sum() / {number}.sum()
"""

GROUPED = """
def loss(params, prompts, rewards):
    x = jax.nn.one_hot(prompts, 6).mean(1)
    table = rewards.reshape(2, 4)
    advantages = (table - table.mean({axis}, keepdims=True)).reshape(-1)
    return -(jax.nn.log_softmax(net(params, x))[:, 0] * advantages).mean()
"""

POLICY = """
def chosen(params, x, actions, temperature=1.0):
    scores = jax.nn.log_softmax(net(params, x) / temperature)
    return jnp.take_along_axis(scores, actions[:, None], 1)[:, 0]

@jax.jit
def before(params, x, actions):
    return chosen(params, x, actions{temperature})

def loss(params, x, actions, old, advantages):
    ratio = jnp.exp(chosen(params, x, actions) - old)
    limited = jnp.clip(ratio, 0.8, 1.2)
    return -jnp.minimum(ratio * advantages, limited * advantages).mean()
"""

POLICY_LOOP = """
for _ in range(4):
    x, actions, advantages = real(8, 6), whole(4, 8), real(8)
    {before}
    for _ in range(3):
        {again}
        params, value = step(params, x, actions, old, advantages)
"""


def of_loss(functions, batch):
    return STEP.format(functions=functions) + LOOP.format(batch=batch)


def distilled(soft, hard="0"):
    return of_loss(DISTILLED.format(soft=soft, hard=hard), "real(8, 6)")


def masked(number):
    mask = "jnp.asarray(random.random((8, 5)) < 0.8)"
    return of_loss(MASKED.format(number=number), f"real(8, 5, 6), {mask}")


def grouped(axis):
    return of_loss(GROUPED.format(axis=axis), "jnp.repeat(whole(6, 2, 5), 4, 0), real(8)")


def policy(temperature="", again=False):
    old = "old = before(params, x, actions)"
    functions = POLICY.format(temperature=temperature)
    loop = POLICY_LOOP.format(before="" if again else old, again=old if again else "")
    return STEP.format(functions=functions) + loop


@pytest.fixture
def updates_of(tmp_path):
    def updates(text):
        file = tmp_path / "train.py"
        file.write_text(text)
        training = JaxScript(Source("train.py", file, (), folder=tmp_path))
        try:
            return training.updates()
        finally:
            training.close()

    return updates


HARD = "(scores ** 2).mean()"


@pytest.mark.parametrize(
    ("law", "broken", "sound", "line"),
    [
        (
            influence,
            distilled("stop_gradient(scores)", HARD),
            distilled("scores", HARD),
            "log_soft",
        ),
        (masks, masked("mask"), masked("keep"), "keep).sum()"),
        (groups, grouped(0), grouped(1), "* advantages"),
        (same_policy, policy(", 0.5"), policy(), "ratio ="),
        (same_policy, policy(again=True), policy(), "ratio ="),
    ],
)
def test_a_law_accuses_the_broken_script_only(updates_of, law, broken, sound, line):
    (accusation,) = law(updates_of(broken)).accusations
    assert line in accusation.at.source
    judgement = law(updates_of(sound))
    assert judgement.applies
    assert (judgement.accusations, judgement.notes) == ([], [])


def test_tokens_that_a_model_chose_are_not_cut_from_a_gradient(updates_of):
    text = """
@jax.jit
def choose(params, x):
    return net(params, x).argmax(1)

def loss(params, x, chosen):
    kept = (chosen != 3).astype("float32")
    scores = net(params, x).mean(1)
    return (jnp.exp(stop_gradient(scores)) * kept).sum() / 8 + (scores ** 2).mean()
"""
    script = STEP.format(functions=text) + LOOP.format(batch="x := real(8, 6), choose(params, x)")
    (accusation,) = influence(updates_of(script)).accusations
    assert "stop_gradient(scores)" in accusation.at.source


@pytest.mark.parametrize(
    "loss",
    [
        "jnp.mean((net(params, x) - stop_gradient(net(other, x))) ** 2)",
        "jnp.mean(net(params, x) * jnp.exp(-stop_gradient(net(params, x))))",
        "jnp.mean((s := net(params, x)) ** 2) + jnp.mean(s - stop_gradient(s))",
        "jnp.mean(jnp.tanh((s := net(params, x)) + stop_gradient(jnp.round(s) - s)) ** 2)",
        "(p := stop_gradient(jax.nn.softmax(net(params, x)))) * (jnp.log(p) - net(params, x + 1))",
        "-jnp.mean(jax.nn.log_softmax(net(params, x)) * jax.nn.one_hot(x.argmax(1) % 4, 4))",
    ],
)
def test_targets_weights_and_straight_estimates_are_spared(updates_of, loss):
    text = f"def loss(params, x):\n    return ({loss}).sum()\n"
    updates = updates_of(of_loss(text, "real(8, 6)"))
    for law in (influence, masks, groups, same_policy):
        judgement = law(updates)
        assert (judgement.accusations, judgement.notes) == ([], [])


def test_a_forward_that_the_backward_computes_anew_is_not_judged(updates_of):
    text = """
def loss(params, x):
    part = jax.checkpoint(lambda w: (s := x @ w) * jnp.exp(-stop_gradient(s)))
    return (part(params[0]) @ params[1]).mean()
"""
    judgement = influence(updates_of(of_loss(text, "real(8, 6)")))
    assert (judgement.applies, judgement.accusations) == (False, [])


def test_a_step_in_which_nothing_is_cut_or_weighed_is_not_traced(updates_of):
    text = "def loss(params, x):\n    return jax.nn.logsumexp(net(params, x), -1).mean()\n"
    updates = updates_of(of_loss(text, "real(8, 6)"))
    assert updates.updates == ()
    assert "nothing in its losses is cut" in updates.why
