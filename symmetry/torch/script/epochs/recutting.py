"""Evaluations over a loader whose batches are cut anew: each of them is a fork that goes on.

Example: an evaluation after the first update, by a loader in order.

    for x, y in loader:         a fork gets other batches here, and goes on as the script does
        ...
    return total / count        a number: it counts once the loader is exhausted
    print(f"{accuracy:.3f}")    another one
    optimizer.zero_grad()       the fork ends: it gives its numbers to this process, which goes on

A fork writes no file: it ends where it would. Each is killed after some CPU seconds.
"""

from __future__ import annotations

import builtins
import logging
import math
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten_with_path
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

from symmetry.base import fork, libraries, ranks
from symmetry.base.fork import Branch, ForkError, has_pool, looks_on
from symmetry.base.patches import Patch
from symmetry.base.user_code import callers, is_user_code, kind_of
from symmetry.observe.source_line import SourceLine, asked_at
from symmetry.sandbox.routes import threads
from symmetry.torch.script.epochs.batches.contents import length_of
from symmetry.torch.script.epochs.log import Log
from symmetry.training.events import Backward, Called, Cleared, LoopEvent, Metric, Updated
from symmetry.training.recuts import Answer, Batches, Number, cut, recuts

_MOST = 4  # evaluations, by line, before the first update and behind it
_EARLY = 64  # batches of one before it
_LIMIT, _SECONDS = 1.0, 2.0  # CPU seconds of a fork, and of all
_MANY = 64  # numbers of one evaluation
_PRINTED = re.compile(
    r"(?<![\w.])-?\d*\.\d+(?:[eE][-+]?\d+)?(?![\w.]*\d)(?!\s*(?:m?s|sec|it/|[KMG]i?B)\b)"
)
_AROUND = frozenset(("tqdm", "accelerate"))  # packages whose loops hand batches on
_WRITING = frozenset(
    ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "os.link", "os.symlink")
) | {"subprocess.Popen", "os.system", "socket.connect", "shutil.rmtree"}


class Recutting:
    """Asks an evaluation for its numbers with other batches.

    Parameters
    ----------
    log
        The log of the run.
    roots
        Returns the modules that are in no other.
    may
        Whether this run is the one that is judged.
    """

    def __init__(self, log: Log, roots: Callable[[], list[nn.Module]], *, may: bool) -> None:
        self._log, self._roots = log, roots
        self._may = may and fork.POSSIBLE and ranks.world() == 1
        self._seen, self._spent = set[tuple[SourceLine, bool]](), 0.0
        self.records: list[Metric] = []
        self._branch: _Evaluation | None = None  # in a fork

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""
        yield DataLoader, "_get_iterator", self._begun(DataLoader._get_iterator)

    def close(self) -> None:
        """End a fork: nothing of the script is left."""
        if self._branch is not None:
            self._branch.end()

    def _begun(self, get: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def begun(loader: Any) -> Any:
            if self._branch is None and self._is_evaluation(loader):
                self._judge(loader)
            iterator = get(loader)  # it draws
            if self._branch is not None and loader is self._branch.loader:
                return self._branch.given()
            return iterator

        return begun

    def _is_evaluation(self, loader: Any) -> bool:
        quiet = not torch.is_grad_enabled() or not any(root.training for root in self._roots())
        if not (self._may and quiet and not self._log.ended):
            return False
        in_order = type(loader.batch_sampler) is BatchSampler and (
            type(loader.batch_sampler.sampler) is SequentialSampler
        )
        whole = in_order and length_of(loader.dataset)
        return bool(whole) and _is_the_users() and not self._lacks_threads()

    def _lacks_threads(self) -> bool:
        """Return whether a fork would lack a thread of this process."""
        main = threading.current_thread() is threading.main_thread()
        return not main or has_pool() or not all(map(looks_on, threads()))

    def _judge(self, loader: Any) -> None:
        """Ask for numbers; in a fork return as soon as its batches are known."""
        at, sampler, trains = asked_at(), loader.batch_sampler, self._log.updates > 0
        if (at, trains) in self._seen or len(self._seen) == _MOST:
            return
        self._seen.add((at, trains))
        samples, size = len(loader.dataset), sampler.batch_size
        samples -= samples % size if sampler.drop_last else 0
        if not trains:
            answer = self._ask(loader, cut(range(min(samples, _EARLY * size)), size))
            if answer is not None and answer.left and answer.saved is not None:
                self.records.append(Metric(at=answer.saved, effect="left", size=size))
            return
        asking = recuts(samples, size)
        try:
            batches = next(asking)
            while self._spent < _SECONDS:
                answer = self._ask(loader, batches)
                if answer is None:
                    return
                batches = asking.send(answer.numbers)
        except StopIteration as stop:
            excess = 1 / -(-samples // size) - samples % size / samples
            facts = {"at": at, "size": size, "excess": excess}
            self.records += [Metric(**facts, **vars(each)) for each in stop.value]

    def _ask(self, loader: Any, batches: Batches) -> Answer | None:
        """Return the answer of a fork; None in the fork itself."""
        found = Answer({}, left=False, saved=None)
        try:
            branch = Branch(_LIMIT)
        except ForkError:
            return found
        if branch.inside:
            self._branch = _Evaluation(branch, loader, batches)
            self._log.listeners.append(self._branch.see)
            return None
        try:
            found = branch.receive()
        except ForkError:
            self._may = False
        finally:
            branch.close()
            self._spent += branch.seconds
        return found


def _is_the_users() -> bool:
    """Return whether a loop of the user's own begins an iterator."""
    for frame in callers():
        kind, parts = kind_of(frame.f_code.co_filename), Path(frame.f_code.co_filename).parts
        if kind == "user":
            return True
        if kind == "installed" and _AROUND.isdisjoint(parts):
            return False
    return False


class _Evaluation:
    """The rest of a script in a fork, up to the end of an evaluation.

    Parameters
    ----------
    branch
        The fork.
    loader, batches
        The loader, and the samples of each batch that it gives.
    """

    def __init__(self, branch: Branch, loader: Any, batches: Batches) -> None:
        self.loader, self._branch, self._batches = loader, branch, batches
        self._exhausted = False
        self._numbers: dict[str, Number] = {}
        self._often: Counter[str] = Counter()
        _let_length(DataLoader, loader, len(batches))
        _let_length(type(loader.dataset), loader.dataset, sum(map(len, batches)))
        for library in libraries.imported():
            for module, name, _ in library.writers:
                if module in sys.modules:
                    setattr(import_module(module), name, lambda *_, **__: self._saves())
        sys.addaudithook(self._writes)
        builtins.print = self._printed
        loggers: Any = logging.Logger
        loggers.handle = lambda _, record: self._text(record.getMessage())
        sys.setprofile(self._profile)

    def given(self) -> Iterator[Any]:
        """Yield the batches."""
        for batch in self._batches:
            yield self.loader.collate_fn([self.loader.dataset[index] for index in batch])
        self._exhausted = True

    def see(self, event: LoopEvent) -> None:
        """End where the training goes on."""
        goes_on = isinstance(event, Called) and event.gradient and event.training
        if isinstance(event, Backward | Updated | Cleared) or (goes_on and self._exhausted):
            self.end()

    def end(self, saved: SourceLine | None = None) -> None:
        """End the fork, at a line that saves or elsewhere."""
        sys.setprofile(None)
        numbers = dict([*self._numbers.items()][:_MANY]) if self._exhausted else {}
        self._branch.end(Answer(numbers, not self._exhausted, saved))

    def _saves(self) -> None:
        self.end(asked_at())

    def _writes(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            _, mode, flags = args
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if (writes or (isinstance(mode, str) and {*mode} & {*"wax+"})) and args[
                0
            ] != os.devnull:
                self.end()
        elif event in _WRITING:
            self.end()

    def _profile(self, frame: FrameType, event: str, arg: Any) -> None:
        if event != "return" or not self._exhausted or arg is None:
            return
        code = frame.f_code
        if code.co_name.startswith("<") or not is_user_code(code.co_filename):
            return
        for path, leaf in tree_flatten_with_path(arg)[0][:_MANY]:
            keys = ".".join(str(getattr(p, "key", getattr(p, "idx", p))) for p in path)
            name = f"{code.co_name}() returns"
            self._add(f"{name} as {keys}" if keys else name, leaf)

    def _printed(self, *values: Any, **_: Any) -> None:
        for value in values:
            if isinstance(value, str):
                self._text(value)
            else:
                self._add(f"the line {_line()} prints", value)

    def _text(self, text: str) -> None:
        for found in _PRINTED.findall(text):
            mantissa, _, exponent = found.lower().partition("e")
            place = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
            self._add(f"the line {_line()} prints", float(found), place)

    def _add(self, name: str, value: Any, place: float = 0.0) -> None:
        if not self._exhausted:
            return
        if isinstance(value, Tensor):
            if value.ndim or value.requires_grad or not value.is_floating_point():
                return
            value = value.item()
        if not isinstance(value, float | np.floating) or not math.isfinite(value):
            return
        self._often[name] += 1
        times = self._often[name]
        self._numbers[f"{name} as number {times}" if times > 1 else name] = Number(
            float(value), place
        )


def _line() -> str:
    return str(asked_at())


def _let_length(kind: type, thing: Any, length: int) -> None:
    """Let the length of one object be another one."""
    own: Any = kind.__len__  # type: ignore[attr-defined]
    kind.__len__ = lambda each: length if each is thing else own(each)  # type: ignore[attr-defined]
