"""A two-layer step in scikit-learn: ``symmetry check tests/adapters/sklearn_step.py:step``."""

from contextlib import suppress

from sklearn.neural_network import MLPRegressor


def step(x, y, w1, w2, lr):
    options = {"solver": "sgd", "momentum": 0, "alpha": 0, "shuffle": False}
    hidden = {"hidden_layer_sizes": w1.shape[1], "activation": "logistic"}
    model = MLPRegressor(**hidden, **options, batch_size=len(x), learning_rate_init=lr)
    model.partial_fit(x, y)  # makes the arrays of the network, which then take our weights
    for layer, w in enumerate((w1, w2)):
        model.intercepts_[layer][:], model.coefs_[layer][:] = w[0], w[1:]
    with suppress(ValueError):  # raised after the step if its weights overflow: they may
        model.partial_fit(x, y)
    for layer, w in enumerate((w1, w2)):
        w[0], w[1:] = model.intercepts_[layer], model.coefs_[layer]
    return w1, w2
