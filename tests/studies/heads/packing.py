"""The effect of one packed document on the next, with and without a cache."""

from __future__ import annotations

import inspect
import resource
from typing import Any

import torch
from torch import Tensor

from tests.studies.heads.heads import Head

Row = dict[str, Any]
LENGTH = 8  # tokens of each of two documents


def row_of(head: Head) -> Row:
    """Return how far the first document moves the outputs of the second, or why that is unknown.

    Relative to the largest output of the second document. Both documents are in one row, told apart
    by ``position_ids`` that begin again at 0, as a collator without padding makes them.
    """
    begin = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    row: Row = {"head": head.name, "kind": head.kind}
    try:
        row |= {"cached": _effect(head, True), "uncached": _effect(head, False)}
    except Exception as error:  # each model has requirements of its own
        row["why"] = f"{type(error).__name__}: {error}".partition("\n")[0]
    return row | {
        "cpu_seconds": round(resource.getrusage(resource.RUSAGE_SELF).ru_utime - begin, 2)
    }


def _effect(head: Head, use_cache: bool) -> float:
    model = head.model().eval()
    wants = inspect.signature(model.forward).parameters
    if not {"position_ids", "use_cache"} <= wants.keys():
        raise TypeError("its forward takes no position_ids, or makes no cache")
    tokens = torch.stack([row["input_ids"] for row in head.rows()])[:1]
    others = tokens.clone()
    others[:, :LENGTH] = torch.stack([row["input_ids"] for row in head.rows()])[1:2, :LENGTH]
    positions = torch.arange(LENGTH).repeat(2)[None]

    def second(ids: Tensor) -> Tensor:
        with torch.no_grad():
            out = model(input_ids=ids, position_ids=positions, use_cache=use_cache)
        logits: Tensor = out.logits[:, LENGTH:]
        return logits

    first = second(tokens)
    return float((second(others) - first).abs().max() / first.abs().max())
