"""Runs over whole epochs that tests put together, event by event."""

from __future__ import annotations

from typing import Any

from symmetry.observe.source_line import SourceLine
from symmetry.torch.script.epochs.recorder import WORDS
from symmetry.training.events import (
    Backward,
    Batch,
    Called,
    Cleared,
    Clipped,
    Epochs,
    Exhausted,
    Loader,
    LoopEvent,
    Model,
    Scheduled,
    SteppedOptimizer,
    Updated,
)

_STATES = {"PyTorch": "0"}
_DEFAULTS: dict[type, dict[str, Any]] = {
    Batch: {
        "loader": 0,
        "iterator": 0,
        "number": 1,
        "digest": "",
        "order": None,
        "shapes": (),
        "states": _STATES,
    },
    Exhausted: {"loader": 0, "iterator": 0, "cut": False},
    Called: {
        "model": 0,
        "gradient": True,
        "training": True,
        "dropouts": (),
        "statistics": (),
        "batch": 0,
        "loader": 0,
        "is_used": True,
        "shapes": (),
        "digest": "",
    },
    Backward: {"number": 0, "held": 2, "beside": False, "operation": "MeanBackward0"},
    Cleared: {"lost": ()},
    Clipped: {
        "number": 0,
        "limit": 1.0,
        "gradients": 2,
        "is_empty": False,
        "is_exhausted": False,
    },
    Updated: {
        "optimizer": 0,
        "rates": (0.1,),
        "backwards": (),
        "again": (),
        "clips": (),
        "states": _STATES,
    },
    Scheduled: {"kind": "StepLR", "rates": (0.1,)},
}


def at(line: int) -> SourceLine:
    return SourceLine("train.py", line)


def event(kind: type[LoopEvent], line: int = 1, update: int = 0, **facts: Any) -> LoopEvent:
    return kind(at=at(line), update=update, **{**_DEFAULTS.get(kind, {}), **facts})


def epochs(*events: LoopEvent, **facts: Any) -> Epochs:
    given: dict[str, Any] = {
        "name": "train.py",
        "words": WORDS,
        "events": events,
        "loaders": (loader(0), loader(1)),
        "models": (model(),),
        "optimizers": (SteppedOptimizer(number=0, kind="Adam", parameters=2, has_state=True),),
        "ended": "the script's end",
        "is_whole": True,
    }
    return Epochs(**{**given, **facts})


def loader(number: int, **facts: Any) -> Loader:
    given: dict[str, Any] = {
        "at": at(90 + number),
        "data": "TensorDataset",
        "samples": 64,
        "batches": 32,
        "size": 2,
        "sampler": "RandomSampler",
        "shuffles": True,
        "workers": 0,
        "source": number,
    }
    return Loader(number=number, **{**given, **facts})


def model(**facts: Any) -> Model:
    given: dict[str, Any] = {
        "number": 0,
        "name": "Net",
        "parameters": 10,
        "is_trained": True,
        "dropouts": 1,
        "statistics": 2,
    }
    return Model(**{**given, **facts})
