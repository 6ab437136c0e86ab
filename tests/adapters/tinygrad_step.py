"""A two-layer step in tinygrad: ``symmetry check tests/adapters/tinygrad_step.py:step``."""

from tinygrad import Tensor


def step(x, y, w1, w2, lr):
    x, y = Tensor(x), Tensor(y)
    weights = [Tensor(w) for w in (w1, w2)]
    hidden = (x @ weights[0][1:] + weights[0][0]).sigmoid()
    logits = hidden @ weights[1][1:] + weights[1][0]
    gradients = (-(y * logits.log_softmax()).sum(1).mean()).gradient(*weights)
    return tuple((w - lr * g).numpy() for w, g in zip(weights, gradients, strict=True))


step.dtypes = ("float32",)
