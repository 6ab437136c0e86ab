"""``loop/workers``: the workers of a loader draw different random numbers, and share the work.

Each worker has a copy of the data set. A random generator that is kept in it is in the same state
in all copies; an iterable data set that does not look at ``get_worker_info()`` yields everything in
each of them.
"""

from __future__ import annotations

from symmetry.invariants.loop.judgement import Judgement, loop_invariant
from symmetry.law.invariant import Statement
from symmetry.training.events import Epochs, Loader, LoopWords

_SAMPLES = (
    "each of the {workers} workers of this loader yields all samples of {data}, so that each is "
    "seen {workers} times. Divide them by {words.worker}."
)
_NUMBERS = (
    "the {workers} workers of this loader draw the same random numbers: each has a copy of the "
    "generator that {data} keeps, or has the same seed. Seed it in worker_init_fn with "
    "{words.worker_seed}, or draw with {words.draw}."
)
_KEPT = (
    "the {workers} workers of this loader draw the same random numbers from {names}: each has a "
    "copy of this generator, in the same state. Seed it in worker_init_fn with "
    "{words.worker_seed}, or draw with {words.draw}."
)
_SEEDED = (
    "this gives {names} the same seed in all {workers} workers of a loader, so that they draw the "
    "same numbers. Leave it out: {words.framework} seeds it in each worker."
)


def workers(epochs: Epochs) -> Judgement:
    """Judge the loaders that have several workers."""
    judgement = Judgement()
    several = [loader for loader in epochs.loaders if loader.workers > 1]
    judgement.applies = any(not loader.why for loader in several)
    judgement.why = next((loader.why for loader in several if loader.why), "")
    if not several:
        judgement.why = "no loader has two workers"
    for loader in several:
        if loader.shared:
            _accuse(loader, epochs.words, judgement)
    if judgement.applies:
        judgement.why = ""
    return judgement


INVARIANT = loop_invariant(
    Statement(
        name="loop/workers",
        statement="workers draw different random numbers, and share an iterable data set",
        reason="each has a copy of the data set, with the generators in it",
        witness="a loader with two workers",
        cause="each worker has a copy of the same generator, or of the whole stream",
        cure="Seed by torch.initial_seed() in worker_init_fn, and share by get_worker_info().",
    ),
    workers,
)


def _accuse(loader: Loader, words: LoopWords, judgement: Judgement) -> None:
    seeded = words.seeded.issuperset(loader.generators)
    if loader.shared == "samples":
        text = _SAMPLES
    elif not loader.generators or (seeded and not loader.seeded_at.file):
        text = _NUMBERS
    else:
        text = _SEEDED if seeded else _KEPT
    names = " and ".join(name for name in loader.generators if seeded or name not in words.seeded)
    at = loader.seeded_at if text is _SEEDED else loader.at
    facts = {"workers": loader.workers, "data": loader.data, "names": names}
    judgement.accuse(text.format(words=words, **facts), at)
