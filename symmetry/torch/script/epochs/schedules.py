"""The steps of schedulers, and after how many of them a schedule is at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from symmetry.base.patches import Patch
from symmetry.base.randomness import generators
from symmetry.torch.creation import noting
from symmetry.torch.objects import family_of, rates_of
from symmetry.torch.script.epochs.log import Log, Numbers
from symmetry.training.events import Scheduled, Scheduler

_FIRST = 20_000  # steps of a function that are looked at one by one
_FAR = tuple(1 << power for power in (22, 23, 24))  # beyond the end of any training
_ZERO = 1e-6  # of the largest rate


class Schedules:
    """Sees the steps of schedulers."""

    def __init__(self, log: Log) -> None:
        self._log, self._schedulers, self._inside = log, Numbers(), False
        self._made: list[Any] = []

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""
        yield LRScheduler, "__init__", noting(LRScheduler.__init__, self._made.append)
        for kind in family_of(LRScheduler):
            if "step" in vars(kind):
                yield kind, "step", self._seen(vars(kind)["step"])

    def _seen(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def seen(scheduler: Any, *args: Any, **kwargs: Any) -> Any:
            if self._inside or "_last_lr" not in vars(scheduler):  # its first step is its own
                return step(scheduler, *args, **kwargs)
            self._inside = True  # one scheduler may step others
            try:
                return step(scheduler, *args, **kwargs)
            finally:
                self._inside = False
                number, rates = self._schedulers.of(scheduler), rates_of(scheduler.optimizer)
                kind = type(scheduler).__name__
                self._log.add(Scheduled, kind=kind, rates=rates, scheduler=number)

        return seen

    def kinds_of(self, optimizer: Any) -> tuple[str, ...]:
        """Return the classes of the schedulers that were made for an optimiser, but for wholes."""
        return tuple(
            type(each).__name__
            for each in self._made_for(optimizer)
            if not hasattr(each, "_schedulers")
        )

    def twice_of(self, optimizer: Any) -> str:
        """Return the class of two schedulers of an optimiser with the same settings, if any."""
        settings = [_settings(each) for each in self._made_for(optimizer)]
        return next((each[0] for n, each in enumerate(settings) if each in settings[:n]), "")

    def are_by_group(self, optimizer: Any) -> bool:
        """Return whether a schedule of an optimiser has functions that differ by group."""
        mine = self._made_for(optimizer)
        return any(len({*map(id, getattr(each, "lr_lambdas", ()))}) > 1 for each in mine)

    def _made_for(self, optimizer: Any) -> list[Any]:
        return [x for x in self._made if getattr(x, "optimizer", None) is optimizer]

    @property
    def schedulers(self) -> list[Any]:
        """Those that stepped."""
        return [*self._schedulers]

    def records(self) -> tuple[Scheduler, ...]:
        """Return what is known of the schedulers that stepped."""
        parts = {id(p) for each in self._schedulers for p in getattr(each, "_schedulers", ())}
        with generators.kept(generators.shared()):
            return tuple(
                Scheduler(number=number, kind=type(scheduler).__name__, steps=_end(scheduler))
                for number, scheduler in enumerate(self._schedulers)
                if id(scheduler) not in parts
            )


def _settings(scheduler: Any) -> tuple[str, dict[str, str]]:
    """Return the class of a scheduler and its settings: the same ones where it is made twice."""
    own = vars(scheduler).items()
    values = {k: v for k, v in own if not k.startswith("_") and k != "optimizer"}
    settings = {"functions": repr([*map(_computed, values.pop("lr_lambdas", ()))])}
    for name, value in values.items():
        if isinstance(value, int | float | str | list | tuple):
            settings[name] = repr(value)
    return type(scheduler).__name__, settings


def _computed(function: Callable[..., Any]) -> tuple[Any, ...]:
    """Return what a function computes: its code, and the values that it holds."""
    code, held = getattr(function, "__code__", None), getattr(function, "__closure__", None)
    if code is None:
        return (repr(function),)  # a partial function has its arguments in there
    cells = [repr(cell.cell_contents) for cell in held or ()]
    return code.co_code, code.co_consts, code.co_names, cells


def _end(scheduler: Any) -> int | None:
    """Return after how many steps the rates of a scheduler end; None if they do not."""
    kind = type(scheduler).__name__
    if kind == "OneCycleLR":
        return int(scheduler.total_steps)
    if kind == "CosineAnnealingLR":
        return int(scheduler.T_max)
    if kind == "PolynomialLR" or (kind == "LinearLR" and _falls(scheduler)):
        return int(scheduler.total_iters)
    if kind == "SequentialLR":
        last = _end(scheduler._schedulers[-1])
        return None if last is None else int(scheduler._milestones[-1]) + last
    if kind == "LambdaLR":
        ends = [_end_of(function) for function in scheduler.lr_lambdas]
        return max((end for end in ends if end is not None), default=None)
    return None


def _falls(scheduler: Any) -> bool:
    return bool(scheduler.end_factor < scheduler.start_factor)


def _end_of(function: Callable[[int], float]) -> int | None:
    """Return the first step behind the largest rate that is zero, or from which all are equal."""
    try:
        rates = [float(function(step)) for step in range(_FIRST)]
        last, *far = (float(function(step)) for step in _FAR)
    except Exception:  # it may hold for the steps of the training only
        return None
    top = max(rates)
    begin = rates.index(top) + 1
    zero = next((n for n in range(begin, _FIRST) if rates[n] <= _ZERO * top), None)
    if zero is not None or any(rate != last for rate in far) or rates[-1] != last:
        return zero
    changing = [step for step, rate in enumerate(rates) if rate != last]
    return changing[-1] + 1 if changing else None
