"""Actions are drawn and scored at a temperature that the new log-probabilities do not have."""

# promised: loss/influence or loss/same-policy or loss/groups or loss/masks
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn


class Actor(nn.Module):
    @nn.compact
    def __call__(self, states):
        return nn.Dense(5)(nn.tanh(nn.Dense(32)(states)))


actor = Actor()
params = actor.init(jax.random.key(0), jnp.zeros((1, 8)))
tx = optax.adam(3e-3)
opt = tx.init(params)


def log_prob(logits, actions):
    return jnp.take_along_axis(jax.nn.log_softmax(logits), actions[:, None], axis=-1)[:, 0]


@jax.jit
def act(params, key, states):
    return jax.random.categorical(key, actor.apply(params, states) / 0.5)


@jax.jit
def score(params, states, actions):
    return log_prob(actor.apply(params, states) / 0.5, actions)


@jax.jit
def update(params, opt, states, actions, old, advantages):
    def objective(params):
        ratio = jnp.exp(log_prob(actor.apply(params, states), actions) - old)
        clipped = jnp.clip(ratio, 0.8, 1.2)
        return -jnp.minimum(ratio * advantages, clipped * advantages).mean()

    grads = jax.grad(objective)(params)
    updates, opt = tx.update(grads, opt, params)
    return optax.apply_updates(params, updates), opt


key = jax.random.key(1)
for _ in range(6):
    key, of_states, of_actions = jax.random.split(key, 3)
    states = jax.random.normal(of_states, (64, 8))
    actions = act(params, of_actions, states)
    old = score(params, states, actions)
    rewards = jnp.cos(states[:, 0] + actions)
    advantages = (rewards - rewards.mean()) / (rewards.std() + 1e-6)
    for _ in range(3):
        params, opt = update(params, opt, states, actions, old, advantages)
    print(rewards.mean())
