"""Names that JAX has for things of a loop, in messages."""

from dataclasses import replace

from symmetry.training.events import LoopWords

WORDS = LoopWords(
    framework="JAX",
    worker="jax.process_index()",
    worker_seed="jax.random.fold_in(key, jax.process_index())",
    draw="jax.random.uniform",
    copies="jnp.array() makes it; numpy.asarray() makes none",
    no_gradients="a function that returns no state",
    save="save",
    seeded=frozenset(),
    evaluates="eval()",
    trains="Call train() before each epoch.",
    quietly="Evaluate without dropout, and hand no statistics of an evaluation on to the training.",
    state="the state of the step",
)
# Equinox switches no model: it makes another one.
OF_EQUINOX = replace(
    WORDS,
    evaluates="inference_mode()",
    trains="Keep the model that is trained under a name of its own.",
)
