"""Why an example of this study is accused: what a person found who looked into it."""

from __future__ import annotations

from tests.studies.survey.reasons import BUG, Reason

REASONS: dict[str, Reason] = {
    "optax.microbatches": Reason(
        BUG,
        "its attention has no causal mask, and the labels are the next tokens, which it sees; the "
        "notebook measures memory on random tokens, so nothing in it shows",
    ),
}

# Examples that raise with these versions, without any check: the path, and why.
BROKEN: dict[str, str] = {
    "google/flax examples/nnx_toy_examples/01_functional_api.py": "TraceContextError at its first "
    "step: line 67 merges the counts of the compiled step into the model, and line 53 counts in "
    "the gradient's trace, where Flax 0.12 forbids it; `nnx.merge(..., copy=True)`, as in "
    "03_train_state.py, is the cure",
    "google-deepmind/optax examples/cifar10_resnet.ipynb": "ValueError as the model is made: its "
    "blocks are in a plain list, which Flax 0.12 wants to be an nnx.List",
}

# Faults that no check accuses, and that a person saw or confirmed: the path, and which one.
SEEN: dict[str, str] = {
    "google/flax examples/sst2/train.py": "`optax.add_decayed_weights` comes after `optax.sgd` in "
    "the chain, so weights grow instead of decaying: with a gradient of zeros and weights of 1 the "
    "update is +3e-06, the weight decay itself (line 70)",
    "google-deepmind/optax examples/gradient_accumulation.ipynb": "nothing is trained with Flax "
    "0.12: `jax.jit` drops the changes of `optimizer.update(model, grads)`, so that the parameters "
    "of its first model are bit for bit the same before and after `fit`, and two untrained models "
    "are compared; `nnx.jit` is the cure (the note `training/still` says so)",
}
