"""Trainers about which some invariants can say nothing: from zero weights they never move.

Where w1 and w2 are zero, only w2's bias moves unless the hidden layer is nonzero there, and w1
never moves unless the activation has a slope there and w2 moved before.
"""

from __future__ import annotations

from functools import partial

from tests.sound import parts
from tests.sound.entry import sound
from tests.sound.exact import gradients, step

W1, W2 = "symmetry/w1-columns", "symmetry/w2-rows"
stuck = partial(sound, vacuous=(W1, W2))
EVERYTHING = (
    *(W1, W2, "symmetry/clones", "symmetry/permutation"),
    *("symmetry/samples", "symmetry/inputs", "symmetry/classes"),
    *("symmetry/dead-inputs", "symmetry/repeatable", "symmetry/pure"),
)


@stuck("Hyperbolic tangent units are zero at zero.")
def tanh(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.tanh)


@stuck("Rectified linear units are zero at zero.")
def relu(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.relu)


@stuck("Leaky rectified linear units are zero at zero.")
def leaky_relu(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.leaky_relu)


@stuck("Exponential linear units are zero at zero.")
def elu(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.elu)


@stuck("Swish units are zero at zero.")
def swish(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.swish)


@stuck("Softsign units are zero at zero.")
def softsign(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.softsign)


@stuck("Linear units are zero at zero.")
def linear(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.identity)


@sound("Bell-shaped units are 1 at zero, without a slope: w1 never moves.", vacuous=(W1,))
def bell(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.bell)


@sound("Cosine units are 1 at zero, without a slope: w1 never moves.", vacuous=(W1,))
def cosine(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.cosine)


@sound("The hidden layer is frozen.", vacuous=(W1, "symmetry/dead-inputs"))
def hidden_layer_frozen(x, y, w1, w2, lr):
    return w1, w2 - lr * gradients(x, y, w1, w2)[1]


@stuck("The output layer is frozen, and passes nothing back while it is zero.")
def output_layer_frozen(x, y, w1, w2, lr):
    return w1 - lr * gradients(x, y, w1, w2)[0], w2


@stuck("The output layer has no weights but the bias.")
def output_bias_only(x, y, w1, w2, lr):
    g1, g2 = gradients(x, y, w1, w2)
    g2[1:] = 0
    return w1 - lr * g1, w2 - lr * g2


@sound("Nothing ever changes.", vacuous=EVERYTHING)
def unchanged(x, y, w1, w2, lr):
    return w1, w2
