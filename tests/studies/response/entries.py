"""The trainings of the study, and what is measured of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import torch

from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining, Training
from tests.catalogues import TRAININGS
from tests.checking import check_target
from tests.faulty.trainings import FAULTS
from tests.sound.trainings import NEARLY, TARGETS
from tests.studies.response.hard import HARD

Row = dict[str, Any]
LAWS = tuple(law.name for law in TRAININGS if law.compared == "response" and law.default)


def entries() -> Mapping[str, Callable[[], Row]]:
    """Return what measures each training, by its name: ``sound/NAME``, for example."""
    nearly = {e.target.name: e.target for e in NEARLY if e.invariant in LAWS}
    found: dict[str, Callable[[], Row]] = {
        f"sound/{target.name}": partial(measured, target) for target in TARGETS
    }
    found |= {f"nearly/{name}": partial(measured, target) for name, target in nearly.items()}
    found |= {f"hard/{name}": partial(_hard, make) for name, make in HARD.items()}
    for fault in FAULTS:
        if laws := tuple(law for law in fault.caught_by if law in LAWS):
            found[f"broken/{fault.name}"] = partial(_broken, fault.target, laws)
    return found


def measured(target: Training, laws: tuple[str, ...] = LAWS) -> Row:
    """Return how far a training deviates by each law, and how many arrays could be judged.

    A law that cannot judge is left out; one that an exception violates has no ratio.
    """
    with _judged() as judged:
        verdicts = check_target(target, only=laws).verdicts
    told = (v for v in verdicts if v.ratio is not None or v.gates)
    results = [[v.invariant, v.dtype, v.ratio, v.gates] for v in told]
    return {"results": results, "judged": dict(judged)}


def _broken(target: Training, laws: tuple[str, ...]) -> Row:
    return {"meant": [*laws], **measured(target, laws)}


def _hard(make: Callable[[], Any]) -> Row:
    def seeded() -> Any:
        torch.manual_seed(0)
        return make()

    return measured(FunctionTraining("hard", seeded))


@contextmanager
def _judged() -> Iterator[Counter[str]]:
    """Count the arrays with a response that is small enough: the most at any start, by dtype."""
    most: Counter[str] = Counter()
    responses = TrainingStart.responses

    def counted(start: TrainingStart, *, closely: bool = False) -> Any:
        found = responses(start, closely=closely)
        most[start.dtype] = max(most[start.dtype], sum(map(len, found)))
        return found

    glance = TrainingStart.glance

    def glanced(start: TrainingStart) -> Any:
        found = glance(start)
        if found is not None:
            most[start.dtype] = max(most[start.dtype], sum(map(len, found)))
        return found

    with (
        patch.object(TrainingStart, "responses", counted),
        patch.object(TrainingStart, "glance", glanced),
    ):
        yield most
