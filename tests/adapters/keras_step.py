"""A two-layer step in Keras: ``symmetry check tests/adapters/keras_step.py:step``."""

import keras


def step(x, y, w1, w2, lr):
    layers = [keras.layers.Dense(w1.shape[1], "sigmoid"), keras.layers.Dense(w2.shape[1])]
    model = keras.Sequential([keras.Input((x.shape[1],)), *layers])
    model.set_weights([w1[1:], w1[0], w2[1:], w2[0]])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(lr), loss, run_eagerly=True, jit_compile=False)
    model.train_on_batch(x, y)
    w1[1:], w1[0], w2[1:], w2[0] = model.get_weights()
    return w1, w2


step.dtypes = ("float32",)
