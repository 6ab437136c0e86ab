"""The first calls of a step, repeated in evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from symmetry.base.raised import in_one_line
from symmetry.torch.trials.acting import Acting, Draws
from symmetry.torch.trials.first_calls import FirstCall, RunParts, at_first_loss
from symmetry.torch.watch.functions import FunctionCalls
from symmetry.torch.watch.operations import Recorder, tensors_in
from symmetry.training.trial import Evaluation, EvaluationCall


def in_evaluation(run: RunParts) -> Evaluation:
    """Take the next step up to its first loss; repeat its calls in evaluation mode."""
    found: list[EvaluationCall] = []
    off = 0

    def use(calls: list[FirstCall], _loss: Tensor) -> None:
        nonlocal off
        off = sum(_left_off(call.module) for call in calls)
        run.model.eval()
        found.extend(_repeated(call, run.model) for call in calls)

    training = Acting(run.model.modules())
    with FunctionCalls(training):
        at_first_loss(run, use)
    return Evaluation(tuple(found), bool(training.found), off)


def _left_off(module: nn.Module) -> int:
    """Return how many layers act in training mode alone, if all of a module is out of it."""
    trained = any(parameter.requires_grad for parameter in module.parameters())
    layers = [*_modal(module)]
    on = module.training or any(layer.training for layer in layers)
    return 0 if on or not trained else len(layers)


def _modal(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the layers that do something else in training mode than in evaluation mode."""
    for layer in module.modules():
        drops = isinstance(layer, _DropoutNd) and layer.p > 0
        if drops or (isinstance(layer, _BatchNorm) and layer.track_running_stats):
            yield layer


def _repeated(call: FirstCall, model: nn.Module) -> EvaluationCall:
    """Call a module twice in evaluation mode, with two seeds."""
    call.module.eval()
    acting, draws = Acting((*model.modules(), *call.module.modules())), Draws()
    try:
        with FunctionCalls(acting), Recorder(draws):
            first = call.again(seed=0)
        second = call.again(seed=1)
    except Exception as error:
        return EvaluationCall(call.name, call.place, raised=in_one_line(error))
    outputs = tensors_in(first)
    differs = not _same(outputs, tensors_in(second))
    # A model of diffusion that returns its loss draws the times and the noise of its samples.
    is_loss = all(output.numel() == 1 for output in outputs)
    lines = tuple(line for line, of_a_code in draws.found.items() if not (of_a_code or is_loss))
    return EvaluationCall(call.name, call.place, tuple(acting.found), lines, differs)


def _same(a: Sequence[Any], b: Sequence[Any]) -> bool:
    """Return whether two outputs are equal, with NaN equal to NaN."""
    return len(a) == len(b) and all(
        x.shape == y.shape and torch.equal(torch.nan_to_num(x), torch.nan_to_num(y))
        for x, y in zip(a, b, strict=True)
    )
