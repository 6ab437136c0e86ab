"""Models that have to compute the same: the one that was saved and its file's, before and after.

Example: a head whose weight is meant to be the one of the embedding, and is a copy of it.

    model.lm_head.weight = nn.Parameter(model.embed.weight.clone())
    ...                                 both are trained, and become different
    model.save_pretrained("out")        the file has one of them: the configuration says "tied"
    Model.from_pretrained("out")        computes something else, and nothing is raised

While the script runs, copies are made of the model and of the files. Once it has ended, a model is
made of the files, and both are called with the arguments of the script's last call, in evaluation
mode. A model that merges its adapters is compared with what it returns, likewise.
"""

from __future__ import annotations

import inspect
import logging
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from copy import deepcopy
from functools import wraps
from io import StringIO
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from symmetry.base.folders import TemporaryFolder
from symmetry.base.patches import Patch
from symmetry.base.randomness import generators
from symmetry.observe.source_line import SourceLine, asked_at
from symmetry.torch.script.epochs.log import Log, tensors_of
from symmetry.training.events import SameFunction

_MOST = 1 << 24  # numbers in a model that is copied
_BYTES = 1 << 27  # of the files of a model
_FEW = 2  # of each kind that are compared
_SAVING = ("transformers.modeling_utils", "PreTrainedModel", "save_pretrained")
_MERGING = ("peft.tuners.tuners_utils", "BaseTuner", "merge_and_unload")

Inputs = tuple[tuple[Any, ...], Mapping[str, Any]]
Outputs = Mapping[str, Sequence[Tensor]]  # by their names, where they have some


class _Pair(NamedTuple):
    """A model and what makes the other one."""

    kind: str  # "saved" or "merged"
    at: SourceLine
    model: nn.Module
    inputs: Inputs
    # Returns the other one, and the names of the tensors that no file has.
    other: Callable[[], tuple[nn.Module, Sequence[str]]]


class Identities:
    """Sees models that are saved or merged.

    Parameters
    ----------
    log
        The log of the run, which ends it.
    called
        Returns the modules that were called last, with their arguments.
    """

    def __init__(self, log: Log, called: Callable[[], Sequence[tuple[nn.Module, Inputs]]]) -> None:
        self._log, self._called = log, called
        self._pairs: list[_Pair] = []
        self._is_inside = False

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""
        for (module, kind, name), see in ((_SAVING, self._saved), (_MERGING, self._merged)):
            owner = getattr(sys.modules.get(module), kind, None)
            if owner is not None:
                yield owner, name, self._seen(getattr(owner, name), see)

    def _seen(
        self, function: Callable[..., Any], see: Callable[..., _Pair | None]
    ) -> Callable[..., Any]:
        known = inspect.signature(function)

        @wraps(function)
        def seen(model: Any, *args: Any, **kwargs: Any) -> Any:
            if self._is_inside or self._log.ended:
                return function(model, *args, **kwargs)
            inputs, before, self._is_inside = self._inputs_of(model), None, True
            try:
                with suppress(Exception):  # of a model that cannot be copied
                    given = known.bind(model, *args, **kwargs).arguments
                    # A state is emptied while it is written.
                    given |= {k: dict(v) for k, v in given.items() if isinstance(v, Mapping)}
                    before = None if inputs is None else deepcopy(model)
                found = function(model, *args, **kwargs)
            finally:
                self._is_inside = False
            if before is not None and inputs is not None:
                with suppress(Exception):  # of files that are somewhere else
                    self._pairs += filter(None, [see(before, inputs, found, given)])
            return found

        return seen

    def _inputs_of(self, model: nn.Module) -> Inputs | None:
        """Return the arguments of the last call of a model, or of one that it is wrapped in."""
        size = _size(model)
        if not self._log.updates or len(self._pairs) >= 2 * _FEW or size > _MOST:
            return None
        return next((i for m, i in reversed(self._called()) if _size(m) == size), None)

    def _saved(self, model: Any, inputs: Inputs, _: Any, given: Mapping[str, Any]) -> _Pair | None:
        folder, is_written = Path(given["save_directory"]), given.get("is_main_process", True)
        if given.get("variant") or not (is_written and self._is_wanted("saved")):
            return None
        if not _are_own(model, given.get("state_dict")):
            return None
        files = [file for file in folder.iterdir() if file.is_file()]
        if not files or sum(file.stat().st_size for file in files) > _BYTES:
            return None
        contents = {file.name: file.read_bytes() for file in files}
        return _Pair("saved", asked_at(), model, inputs, lambda: _loaded(type(model), contents))

    def _merged(
        self, model: Any, inputs: Inputs, found: Any, given: Mapping[str, Any]
    ) -> _Pair | None:
        if not isinstance(found, nn.Module) or not self._is_wanted("merged"):
            return None
        if given.get("adapter_names") or not all(p.is_floating_point() for p in model.parameters()):
            return None  # a part is merged, or quantised weights are rounded coarsely
        merged = deepcopy(found)
        return _Pair("merged", asked_at(), model, inputs, lambda: (merged, ()))

    def _is_wanted(self, kind: str) -> bool:
        return sum(pair.kind == kind for pair in self._pairs) < _FEW

    def records(self) -> tuple[SameFunction, ...]:
        """Compare all, where both can be called; nothing is watched any more."""
        found = list[SameFunction]()
        for pair in self._pairs:
            with quietly():
                found += _compared(pair)
        return tuple(found)


def _are_own(model: nn.Module, state: Mapping[str, Tensor] | None) -> bool:
    """Return whether tensors that are saved are the model's own: those of an average are not."""
    own = model.state_dict()
    return all(name in own and torch.equal(own[name], t) for name, t in (state or {}).items())


def _compared(pair: _Pair) -> Iterator[SameFunction]:
    """Yield the distance of the outputs of both models, if the first one repeats its own."""
    other, missing = pair.other()
    first, again, found = (outputs(m, pair.inputs) for m in (pair.model, pair.model, other))
    if first and distance(first, again) == 0:
        yield SameFunction(
            at=pair.at,
            kind=pair.kind,
            model=type(pair.model).__name__,
            distance=distance(first, found),
            eps=max(_eps(pair.model), _eps(other)),
            missing=tuple(missing),
            other=next(_differences(pair.model, other), "") if pair.kind == "saved" else "",
        )


def _loaded(kind: Any, contents: Mapping[str, bytes]) -> tuple[nn.Module, Sequence[str]]:
    """Return a model that is loaded from the files of one, and the names that these have not."""
    with TemporaryFolder() as folder:
        for name, content in contents.items():
            (Path(folder) / name).write_bytes(content)
        model, info = kind.from_pretrained(folder, output_loading_info=True, local_files_only=True)
        missing = sorted({*info["missing_keys"], *(key[0] for key in info["mismatched_keys"])})
        return model, missing


@contextmanager
def quietly() -> Iterator[None]:
    """Try something: draw no random numbers of others, print nothing, and raise nothing."""
    before = logging.root.manager.disable
    with ExitStack() as stack:
        stack.enter_context(suppress(Exception))  # of a model that cannot be called so
        stack.enter_context(generators.kept(generators.shared()))
        stack.enter_context(redirect_stdout(StringIO()))
        stack.enter_context(redirect_stderr(StringIO()))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.callback(logging.disable, before)
        logging.disable(logging.CRITICAL)
        yield


@torch.no_grad()
def outputs(model: nn.Module, inputs: Inputs) -> Outputs:
    """Return the tensors of numbers that a model returns in evaluation mode, but for losses.

    They have their names where it returns any.
    """
    generators.seed_all(0)
    args, kwargs = deepcopy(inputs)
    found = model.eval()(*args, **kwargs)
    named = found if isinstance(found, Mapping) else {"": found}
    tensors = {
        name: [t.double() for t in tensors_of(value) if t.is_floating_point() and t.numel() > 1]
        for name, value in named.items()
    }
    return {name: several for name, several in tensors.items() if several}


def first(of: Outputs) -> Outputs:
    """Return the first tensor alone, as those behind it are often hidden states."""
    return {name: several[:1] for name, several in [*of.items()][:1]}


def distance(one: Outputs, other: Outputs) -> float:
    """Return by how much outputs differ at most, relative to the largest of each.

    An output that only one of them has is asked for by an argument that only this one is given.
    """
    names = [name for name in one if name in other]
    pairs = [pair for name in names for pair in zip_longest(one[name], other[name])]
    if not pairs or any(a is None or b is None or a.shape != b.shape for a, b in pairs):
        return math.inf
    found = [float((a - b).abs().max() / a.abs().max().clamp(min=1e-30)) for a, b in pairs]
    return math.inf if any(map(math.isnan, found)) else max(found, default=0.0)


def _differences(model: nn.Module, other: nn.Module) -> Iterator[str]:
    """Yield what no file is meant to have: modules, functions and plain attributes."""
    theirs: dict[str, Any] = dict(other.named_modules())
    for name, module in model.named_modules():
        own: dict[str, Any] = vars(module)
        called = f"{type(model).__name__}.{name}".rstrip(".")
        if type(theirs.get(name)) is not type(module):
            yield called
            return
        if "forward" in own or own["_forward_hooks"] or own["_forward_pre_hooks"]:
            yield f"the forward of {called}"
        for key, value in own.items():
            plain = isinstance(value, bool | int | float) and key != "training"
            if plain and not key.startswith("_") and vars(theirs[name]).get(key) != value:
                yield f"{called}.{key}"


def _size(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _eps(model: nn.Module) -> float:
    dtypes = {p.dtype for p in model.parameters() if p.is_floating_point()}
    return max((torch.finfo(dtype).eps for dtype in dtypes), default=1.0)
