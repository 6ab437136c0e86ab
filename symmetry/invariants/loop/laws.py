"""The laws of the loop, in the order in which they are judged: what each says, and why it holds."""

from __future__ import annotations

from symmetry.invariants.loop.attributes import attributes
from symmetry.invariants.loop.batches import batches
from symmetry.invariants.loop.copies import copies
from symmetry.invariants.loop.disturbance import evaluations
from symmetry.invariants.loop.gradients import gradients
from symmetry.invariants.loop.judgement import Law
from symmetry.invariants.loop.modes import modes
from symmetry.invariants.loop.workers import workers
from symmetry.law.invariant import Statement

_SCRIPTS = "scripts that train with PyTorch"
_BOTH = "scripts that train with PyTorch, and functions with evaluate"
_FAILURE = "goes wrong beyond its first steps"

LAWS: tuple[tuple[Law, Statement], ...] = (
    (
        modes,
        Statement(
            name="loop/modes",
            statement="a model that is trained in training mode at first stays in it",
            reason="an evaluation that calls eval() is followed by train()",
            witness="an update",
            targets=_BOTH,
            failure=_FAILURE,
            notes=("loop/eval-mode", "loop/frozen"),
        ),
    ),
    (
        evaluations,
        Statement(
            name="loop/evaluation",
            statement="a trained model is evaluated in evaluation mode, and stays as it is",
            reason="dropouts make the result random, and what evaluation data teach is no test",
            witness="a loader whose batches lead to no backward, or evaluate of a function",
            example="Example: a validation loop without ``model.eval()``.\n\nIn training mode "
            "dropouts make a score random, and BatchNorm learns from the validation samples. Calls "
            "of a model on the batches of a loader that leads to no backward have to be in "
            "evaluation mode, and must not change the model. Call ``model.eval()`` before, and "
            "``model.train()`` behind the validation.",
            targets=_BOTH,
            failure=_FAILURE,
            notes=("loop/overlap",),
        ),
    ),
    (
        copies,
        Statement(
            name="loop/copies",
            statement="states that are restored or saved are copies of the model's",
            reason="what shares the model's memory changes with each update",
            witness="a state that is restored or saved",
            targets=_SCRIPTS,
            failure=_FAILURE,
            notes=("loop/checkpoint", "loop/average", "loop/average-buffers"),
        ),
    ),
    (
        batches,
        Statement(
            name="loop/batches",
            statement="updates see other batches, orders and random numbers than those before",
            reason="nothing is learnt from the same ones again, and seeds are set once",
            witness="a DataLoader, or a seed",
            targets=_SCRIPTS,
            failure=_FAILURE,
            notes=("loop/shuffle",),
        ),
    ),
    (
        workers,
        Statement(
            name="loop/workers",
            statement="workers draw different random numbers, and share an iterable data set",
            reason="each has a copy of the data set, with the generators in it",
            witness="a loader with two workers",
            targets=_SCRIPTS,
            failure=_FAILURE,
        ),
    ),
    (
        gradients,
        Statement(
            name="loop/gradients",
            statement="gradients are clipped and read by an update before they are cleared",
            reason="a backward or a clip that no update reads does nothing",
            witness="a backward",
            targets=_SCRIPTS,
            failure=_FAILURE,
            notes=("loop/window", "loop/accumulation", "loop/clips", "loop/schedule"),
        ),
    ),
    (
        attributes,
        Statement(
            name="loop/attributes",
            statement="attributes that are set on parameters, modules and optimisers are there",
            reason="Python lets any attribute be set, and PyTorch does not read it",
            witness="an update",
            targets=_SCRIPTS,
            failure=_FAILURE,
        ),
    ),
)

OF_FUNCTIONS = frozenset({modes, evaluations})  # those that judge functions with evaluate, too
