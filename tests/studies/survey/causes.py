"""Why no gradient reaches a module: it is not fed, not used, without effect, or cut off."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tests.studies.survey.feeding.drawn import Batch
from tests.studies.survey.feeding.headed import Headed
from tests.studies.survey.feeding.trials import INPUTS

NEVER_FED = "never fed"  # it is not called, and the forward takes an input that the batch lacks
UNUSED = "unused by this head"  # other parameters of it change no gradient of others
FLAT = "without effect at these sizes"  # it gets zeros: attention over one key, say
CUT = "cut"  # other parameters of it change the training, but no gradient comes back


def causes(training: Callable[[], Any], modules: Sequence[str]) -> dict[str, str]:
    """Return why no gradient reaches each of these modules, by their paths."""
    if not modules:
        return {}
    calls, usual = _step(training, "")
    return {name: _cause(training, name, calls, usual) for name in modules}


def _cause(
    training: Callable[[], Any], name: str, calls: set[str], usual: Sequence[Tensor | None]
) -> str:
    model, _, extras = training()
    below = f"{name}."
    if not any(f"{call}.".startswith(below) for call in calls) and _lacks(
        model, extras["batch"](0)
    ):
        return NEVER_FED
    _, found = _step(training, name)
    same = all(
        (a is None) == (b is None) and (a is None or b is None or torch.equal(a, b))
        for a, b in zip(usual, found, strict=True)
    )
    if not same:
        return CUT
    own = {id(parameter) for parameter in model.get_submodule(name).parameters()}
    gradients = zip(model.parameters(), usual, strict=True)
    reached = any(id(p) in own and gradient is not None for p, gradient in gradients)
    return FLAT if reached else UNUSED


def _step(training: Callable[[], Any], changed: str) -> tuple[set[str], list[Tensor | None]]:
    """Take a step from other parameters of one module; return the calls, and the gradients."""
    model, step, extras = training()
    calls: set[str] = set()
    with torch.no_grad():
        for parameter in model.get_submodule(changed).parameters() if changed else ():
            generator = torch.Generator().manual_seed(0)
            parameter.add_(torch.randn(parameter.shape, generator=generator).to(parameter.dtype))
    for name, module in model.named_modules():
        module.register_forward_hook(lambda *_, name=name: calls.add(name))
    torch.manual_seed(0)
    step(extras["batch"](0))
    return calls, [parameter.grad for parameter in model.parameters()]


def _lacks(model: nn.Module, batch: Batch | tuple[Tensor, ...]) -> bool:
    """Return whether the forward of a model takes an input that a batch does not have."""
    body = model.body if isinstance(model, Headed) else model
    wants = inspect.signature(body.forward).parameters
    return bool((INPUTS & wants.keys()) - {*batch}) if isinstance(batch, dict) else False
