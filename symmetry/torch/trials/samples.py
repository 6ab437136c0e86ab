"""The first calls of a step in evaluation mode, with one sample of the batch replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from symmetry.base.raised import in_one_line
from symmetry.torch.trials.first_calls import FirstCall, RunParts, at_first_loss
from symmetry.torch.trials.mixing import CallMixing, copied_array
from symmetry.torch.watch.operations import tensors_in
from symmetry.training.trial import SampleCall
from symmetry.units.compare import Moved, unequal
from symmetry.units.samples import axes_of, is_alone

_QUANTISATION = "torch.ao.quantization"


def with_samples(
    run: RunParts, changed: Mapping[int, Sequence[FirstCall]], count: int
) -> list[SampleCall]:
    """Take the next step up to its first loss; repeat its calls with one sample replaced."""
    found: list[SampleCall | None] = []

    def use(calls: list[FirstCall], _loss: Tensor) -> None:
        run.model.eval()
        for sample, others in changed.items():
            pairs = zip(calls, others, strict=False)
            found.extend(_judged(call, other, count, sample) for call, other in pairs)

    at_first_loss(run, use)
    return [call for call in found if call is not None]


def _judged(call: FirstCall, other: FirstCall, count: int, sample: int) -> SampleCall | None:
    """Say what one sample changes in a call; None if it is not given to this call."""
    say = partial(SampleCall, call.name, call.place)
    a, b = tensors_in(call.arguments), tensors_in(other.arguments)
    if [t.shape for t in a] != [t.shape for t in b]:
        return say(why_not="it is called with other shapes for another sample")
    changed = [places for x, y in zip(a, b, strict=True) if (places := _moved(x, y)).any()]
    if not changed:
        return None
    arguments = other.arguments
    if not all(axes_of(places, count, sample) for places in changed):
        if not all(_is_mixup(places, count, sample) for places in changed):
            return say(why_not="its samples are combined before they reach the model")
        arguments = tree_map(partial(_at_row, sample), call.arguments, arguments)
    why_not = _excuse(call.module) or _partners(a, count)
    if why_not:
        return say(why_not=why_not)
    call.module.eval()
    effect = partial(_effect, call, say, count, sample)
    found = effect(arguments)
    if found.mixer is None or not found.mixer.by_position or len(changed) == 1:
        return found
    # Rows may be packed in an order that another argument gives, which is right.
    alone = (effect(each) for each in _one_at_a_time(call.arguments, arguments))
    return next((each for each in alone if each.mixer and not each.mixer.by_position), found)


def _effect(
    call: FirstCall, say: Callable[..., SampleCall], count: int, sample: int, arguments: Any
) -> SampleCall:
    """Say what a call does with arguments in which one sample is another one."""
    try:
        own, others = tensors_in(call.again()), tensors_in(call.again(arguments))
        alone = _alone(own, others, count, sample)
        if alone is None and not _stay(own, others, count):
            return say(why_not="its outputs have no axis of the samples")
        mixer = None
        if not alone:
            repeated = partial(call.again, arguments)
            mixing = CallMixing(count, sample, call.module, call.again, repeated)
            mixer = mixing.layout if alone is None else mixing.first
    except Exception as error:
        return say(why_not=f"in evaluation mode it raises {in_one_line(error)}")
    if not alone and mixer is None:
        return say(why_not="no operation was found that takes its samples together")
    return say(alone=bool(alone), mixer=mixer)


def _one_at_a_time(own: Any, others: Any) -> Iterator[Any]:
    """Yield arguments with one tensor of the others', and the rest as they are."""
    leaves, spec = tree_flatten(own)
    for place, leaf in enumerate(tree_flatten(others)[0]):
        if isinstance(leaf, Tensor):
            yield tree_unflatten([*leaves[:place], leaf, *leaves[place + 1 :]], spec)


def _is_mixup(places: Moved, count: int, sample: int) -> bool:
    """Return whether a sample moves its own row and one other row, as mixup combines them."""
    if places.shape[:1] != (count,) or count in places.shape[1:]:
        return False
    rows = np.flatnonzero(places.reshape(count, -1).any(1))
    return sample in rows and len(rows) == 2


def _at_row(sample: int, own: Any, other: Any) -> Any:
    """Return an argument of a call, with the row of one sample as in the other call."""
    if not isinstance(own, Tensor) or not _moved(own, other).any():
        return own
    row = torch.tensor([sample], device=own.device)
    return own.detach().index_copy(0, row, other.detach()[row])


def _excuse(module: nn.Module) -> str:
    """Say why outputs may rightly depend on the whole batch; nothing if nothing is known."""
    for layer in module.modules():
        if isinstance(layer, _BatchNorm) and layer.running_mean is None:
            return "a batch normalisation without running statistics is in it"
        if type(layer).__module__.startswith(_QUANTISATION):
            return "fake quantisation takes its scale from the batch"
    return ""


def _partners(arguments: Sequence[Tensor], count: int) -> str:
    """Say whether an argument gives each sample a partner, as the order of mixup in a model."""
    for each in arguments:
        if each.dtype == torch.int64 and each.shape == (count,):
            plain = torch.arange(count, device=each.device)
            if not torch.equal(each, plain) and torch.equal(each.sort().values, plain):
                return "an argument is an order of its samples"
    return ""


def _alone(own: Sequence[Any], others: Sequence[Any], count: int, sample: int) -> bool | None:
    """Return whether outputs differ at one sample alone; None if none has an axis of samples."""
    known = [
        is_alone(_moved(a, b), count, sample)
        for a, b in zip(own, others, strict=False)
        if a.shape == b.shape
    ]
    judged = [alone for alone in known if alone is not None]
    return all(judged) if judged else None


def _stay(own: Sequence[Any], others: Sequence[Any], count: int) -> bool:
    """Return whether outputs with an axis of samples are the same, whatever one sample is.

    So are those of a token of a class that reads the same token of other samples, and no patch.
    """
    return any(count in a.shape for a in own) and not any(
        a.shape != b.shape or _moved(a, b).any() for a, b in zip(own, others, strict=True)
    )


def _moved(a: Tensor, b: Tensor) -> Moved:
    """Return where two tensors of one shape differ beyond rounding."""
    return unequal(copied_array(a), copied_array(b))
