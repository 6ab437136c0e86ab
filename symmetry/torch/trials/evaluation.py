"""The first calls of a step, repeated in evaluation mode, and what still acts in it.

Dropout that is not switched off acts, and so do running statistics that are written.
"""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import islice
from types import FrameType
from typing import Any, Literal

import torch
import torch.overrides
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.utils.weak import WeakIdKeyDictionary

from symmetry.base.raised import in_one_line
from symmetry.base.user_code import callers
from symmetry.observe.source_line import SourceLine, users_line
from symmetry.torch.trials.first_calls import FirstCall, RunParts, at_first_loss
from symmetry.torch.watch import functions
from symmetry.torch.watch.functions import FunctionCalls
from symmetry.torch.watch.operations import Observer, Operation, Recorder, tensors_in
from symmetry.training.trial import Active, Evaluation, EvaluationCall

_DROPOUTS: frozenset[Hashable] = frozenset(
    {
        functional.dropout,
        functional.dropout1d,
        functional.dropout2d,
        functional.dropout3d,
        functional.alpha_dropout,
        functional.feature_alpha_dropout,
    }
)
# The files between a call and its listener.
_INNER = {functional.__file__, torch.overrides.__file__, functions.__file__, __file__}
_POSITIONAL = 2  # arguments of dropout before ``training``
_POSITIVE = {"exp", "exp2", "softplus", "sqrt", "square"}  # what makes the scale of a distribution
_KEEP = {"add", "clamp", "clamp_min", "_to_copy", "clone"}  # and leaves it one


class Acting:
    """Finds dropout and running statistics that are active; it is a ``FunctionListener``.

    Parameters
    ----------
    modules
        Those that ``train()`` and ``eval()`` of the model reach.
    """

    functions = _DROPOUTS | {
        functional.multi_head_attention_forward,
        functional.scaled_dot_product_attention,
        functional.batch_norm,
    }

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self.found: dict[Active, None] = {}  # what is active, each once
        self._modules = {*map(id, modules)}

    def see(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """Return the arguments as they are."""
        if func in _DROPOUTS:
            given = _bound(func, args, kwargs)
            if given["training"] and given["p"] > 0:
                self._note("dropout", named=_names_training)
        elif func is functional.multi_head_attention_forward:
            given = _bound(func, args, kwargs)
            if given["training"] and given["dropout_p"] > 0:
                self._note("attention", named=_names_training)
        elif func is functional.scaled_dot_product_attention:
            if kwargs.get("dropout_p", args[4] if len(args) > 4 else 0.0):
                self._note("attention", named=lambda _: False)
        elif func is functional.batch_norm:
            given = _bound(func, args, kwargs)
            if given["training"] and given["running_mean"] is not None:
                self._note("statistics", named=lambda _: False)
        return args, kwargs

    def _note(
        self,
        kind: Literal["dropout", "attention", "statistics"],
        named: Callable[[FrameType], bool],
    ) -> None:
        frame = next(f for f in callers() if f.f_code.co_filename not in _INNER)
        module = frame.f_locals.get("self")
        cause: Literal["function", "module", "named"] = "named" if named(frame) else "function"
        if isinstance(module, nn.Module):
            if id(module) not in self._modules:
                cause = "module"
            elif type(module).__module__.startswith("torch.nn."):  # which was put into this mode
                cause = "named"
        self.found[Active(kind, cause, users_line())] = None


class Draws(Observer):
    """Notes the user's lines that draw random numbers.

    noisy = x + 0.1 * torch.randn_like(x)               a line that draws
    code = mean + torch.randn_like(mean) * log.exp()    a line that draws a code, as it has to:
                                                        the model computes the scale
    if torch.rand(1) < 0.5:                             one number, for a choice: teacher forcing,
                                                        say, where the call is given labels
    """

    def __init__(self) -> None:
        self.found: dict[SourceLine, bool] = {}  # the lines, each once; whether they draw a code
        self._drawn = WeakIdKeyDictionary()  # the line of a tensor of drawn numbers
        self._scales = WeakIdKeyDictionary()  # tensors of positive numbers, made from others

    def after(self, operation: Operation) -> None:
        """Note the line of a random operation, and what scales its numbers."""
        if operation.draws:
            if all(result.numel() == 1 for result in operation.results):
                return
            line = users_line()
            self.found.setdefault(line, False)
            self._drawn.update(dict.fromkeys(operation.results, line))
            return
        lines = [self._drawn[t] for t in operation.operands if t in self._drawn]
        scaled = any(t in self._scales for t in operation.operands)
        if operation.base in _POSITIVE or (scaled and (operation.view or operation.base in _KEEP)):
            self._scales.update(dict.fromkeys(operation.results, True))
        if lines and operation.base == "mul" and scaled:
            self.found |= dict.fromkeys(lines, True)
        elif lines and operation.view:
            self._drawn.update(dict.fromkeys(operation.results, lines[0]))


def _bound(func: Callable[..., Any], args: Any, kwargs: Any) -> dict[str, Any]:
    bound = inspect.signature(func).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


def _names_training(frame: FrameType) -> bool:
    """Return whether the call that a frame is in gives ``training``; True if it cannot be read."""
    call = _call_in(frame)
    if call is None or any(isinstance(argument, ast.Starred) for argument in call.args):
        return True
    named = any(keyword.arg in ("training", None) for keyword in call.keywords)
    return named or len(call.args) > _POSITIONAL


def _call_in(frame: FrameType) -> ast.Call | None:
    """Return the call that a frame is in, as it is written; None if there is no source."""
    positions = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None))
    line, last, column, end = positions
    if line is None or last is None:
        return None
    lines = [linecache.getline(frame.f_code.co_filename, n).encode() for n in range(line, last + 1)]
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][column:]
    try:
        written = ast.parse(b"(" + b"".join(lines) + b")", mode="eval").body
    except (SyntaxError, ValueError):
        return None
    return written if isinstance(written, ast.Call) else None


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
