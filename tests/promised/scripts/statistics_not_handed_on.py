"""The running statistics of BatchNorm are updated, dropped, and read by the evaluation."""

# promised: training/same-noise or training/handed-on or loop/batches
import flax.linen as nn
import jax
import optax


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(nn.Dense(24)(x)))
        return nn.Dense(3)(x)


model, tx = Net(), optax.sgd(0.1)
keys = jax.random.split(jax.random.PRNGKey(0), 3)
x, y = jax.random.normal(keys[0], (160, 10)) + 1.0, jax.random.randint(keys[1], (160,), 0, 3)
variables = model.init(keys[2], x[:2], train=False)
params, stats, opt = variables["params"], variables["batch_stats"], tx.init(variables["params"])


@jax.jit
def step(params, opt, stats, x, y):
    def loss_fn(p):
        scores, _new = model.apply(
            {"params": p, "batch_stats": stats}, x, train=True, mutable=["batch_stats"]
        )
        return optax.softmax_cross_entropy_with_integer_labels(scores, y).mean()

    loss, g = jax.value_and_grad(loss_fn)(params)
    updates, opt = tx.update(g, opt)
    return optax.apply_updates(params, updates), opt, loss


@jax.jit
def evaluate(params, stats, x, y):
    scores = model.apply({"params": params, "batch_stats": stats}, x, train=False)
    return (scores.argmax(-1) == y).mean()


for epoch in range(3):
    for i in range(0, 128, 16):
        params, opt, loss = step(params, opt, stats, x[i : i + 16], y[i : i + 16])
    print(epoch, loss, evaluate(params, stats, x[128:], y[128:]))
