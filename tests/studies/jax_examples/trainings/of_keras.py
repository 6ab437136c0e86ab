"""Trainings by the trainer of Keras with JAX, as its ``fit`` calls it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tests.studies.jax_examples.data import Training, images, texts


def fitted(model: Any, loss: Any, batch: Any, optimizer: str = "adam") -> Training:
    """Return a training by the step of a compiled model."""
    model.compile(optimizer=optimizer, loss=loss)
    model.optimizer.build(model.trainable_variables)

    def values(variables: Any) -> list[Any]:
        return [variable.value for variable in variables]

    def step(state: Any, batch: Any) -> Any:
        logs, state = model.train_step(state, batch)
        return state, logs

    state = (
        values(model.trainable_variables),
        values(model.non_trainable_variables),
        values(model.optimizer.variables),
        values(model.metrics_variables),
    )
    return state, step, {"batch": batch}


def convolutions() -> Training:
    """Return a convolutional network with batch normalisation."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(6, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    return fitted(model, "sparse_categorical_crossentropy", images(8, 8, 3))


def masked_recurrent() -> Training:
    """Return an LSTM over padded texts, which the embedding masks."""
    keras.utils.set_random_seed(0)
    layers, tokens = keras.layers, texts(6, 11, padding=3)
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            layers.Embedding(11, 8, mask_zero=True),
            layers.LSTM(10),
            layers.Dense(1, activation="sigmoid"),
        ]
    )

    def batch(number: int) -> Any:
        given = tokens(number)
        return given, np.random.default_rng(number).integers(0, 2, (len(given), 1))

    return fitted(model, "binary_crossentropy", batch)
