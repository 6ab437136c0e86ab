"""A run of a script, with digests of the arguments of its steps, and its files at each save.

Example: a script that saves behind each epoch of 8 batches.

    state, loss = step(state, x, y)     before the call: digests of the state, which is what the
    ...                                 script holds after 0 updates
    save("last.pkl", state)             the eighth update is done
    state, loss = step(state, x, y)     before the call: the state after 8 updates, and a copy of
                                        all files that were written. A kill here leaves these.

Arguments that no parameter is computed from are no part of the training, as sums for a progress
bar, but for running averages. Arguments that only draw random numbers, or choose rows, are noise.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.jax.executables import Executables
from symmetry.jax.jaxprs.inputs import Inputs, inputs_of
from symmetry.jax.made import has_numbers, is_array, is_number
from symmetry.jax.names import path_of
from symmetry.jax.script.epochs.calls import LoopCall, LoopCalls, Variant, digest_of
from symmetry.jax.script.epochs.facts import key_places
from symmetry.jax.script.epochs.record import epochs_of
from symmetry.jax.script.epochs.roles import Roles
from symmetry.jax.script.epochs.whole import go
from symmetry.observe.source_line import SourceLine, users_line
from symmetry.sandbox.folder_mirror import FolderMirror, WrittenFiles
from symmetry.training.events import Called, Epochs, Saved, Updated
from symmetry.training.resumed_runs import HeldState, ObservedRun
from symmetry.training.resuming import Overwriting, Place, WrittenRun

Found = TypeVar("Found")
SECONDS = 120.0  # of the CPU, that a run takes at most


class ResumableCalls(LoopCalls):
    """Records all calls of a script, with digests of all arguments, and copies files at saves.

    Parameters
    ----------
    folder
        Where copies of the files go.

    Attributes
    ----------
    arguments
        The digests of the arguments of each call; of a number itself, as text.
    losses
        The first single number that a call returns, by the number of the call.
    saves
        The lines of saves, by the number of the next call.
    overwriting
        Finds a save that writes over an earlier one; it counts calls, not updates.
    copies
        Copies of the files that saves have left, likewise: of the saves 1, 2, 4, 8 ...
    """

    most = 64
    computed = sys.maxsize

    def __init__(self, folder: Path) -> None:
        super().__init__(SECONDS)
        self.arguments: list[tuple[str, ...]] = []
        self.losses: dict[int, float] = {}
        self.saves: dict[int, SourceLine] = {}
        self.copies: dict[int, WrittenFiles] = {}
        self.overwriting = Overwriting(folder / "overwritten")
        self._folder = folder
        self._saved: SourceLine | None = None  # the line of a save, since the last call
        self._unfinished: dict[int, Any] = {}  # what writes meanwhile, by its id

    def _see(self, args: Sequence[Any]) -> None:
        """See that a function has saved: an argument of it may be a file, or write meanwhile."""
        self._saved = users_line()
        if args and hasattr(args[0], "wait_until_finished"):
            self._unfinished[id(args[0])] = args[0]
        if self.mirror is not None:
            for file in args:
                self.overwriting.see(file, self.mirror, len(self.arguments))

    def _noted(self, jitted: Any, arguments: Mapping[str, Any]) -> LoopCall:
        if self._saved is not None and self.mirror is not None:
            self._copy(self.mirror, self._saved)
        self.arguments.append(tuple(map(_digest, jax.tree.leaves(arguments))))
        return super()._noted(jitted, arguments)

    def _copy(self, mirror: FolderMirror, at: SourceLine) -> None:
        for each in self._unfinished.values():
            each.wait_until_finished()
        number = len(self.arguments)
        self.saves[number] = at
        if not len(self.saves) & (len(self.saves) - 1):
            self.copies[number] = mirror.copy_written(self._folder / str(number))
        self._saved, self._unfinished = None, {}

    def _keep(self, call: LoopCall, returned: Any) -> None:
        super()._keep(call, returned)
        single = (r for r in jax.tree.leaves(returned) if is_array(r) and np.shape(r) == ())
        loss = next((r for r in single if has_numbers(r)), None)
        if loss is not None:
            self.losses[call.number] = float(jnp.real(loss))


def _digest(leaf: Any) -> str:
    """Return a digest of an argument, whatever holds its numbers; empty without any."""
    if not is_number(leaf):
        return ""
    if np.ndim(leaf) == 0 and not jax.dtypes.issubdtype(jnp.result_type(leaf), jax.dtypes.extended):
        return repr(complex(leaf) if np.iscomplexobj(leaf) else float(leaf))
    if isinstance(leaf, np.ndarray):
        leaf = np.asarray(leaf, jax.dtypes.canonicalize_dtype(leaf.dtype))
    return digest_of(leaf)


def observe(place: Place, seed: int, folder: Path, executables: Executables) -> WrittenRun:
    """Run a script, and copy its files into a folder at each save."""
    run, error = ResumableCalls(folder), None
    try:
        go(place.source, place.mirrors, executables, seed, run)
    except TrainingError as raised:
        error = raised
    roles = Roles(run.log)
    steps = _Steps(run, roles, epochs_of(place.source.name, run, roles, error))
    saves = {u: at for u, at in steps.by_update(run.saves).items() if u in steps.held}
    observed = ObservedRun(
        epochs=steps.with_rates(saves),
        held=steps.held,
        saves=tuple(saves),
        by_name=True,
        follows_scores=True,  # whatever makes the arguments of steps
        arguments=steps.rates[1],
        losses=steps.losses(),
    )
    overwritten = run.overwriting.first
    if overwritten is not None:
        overwritten = overwritten._replace(update=steps.updates_before(overwritten.update))
    return WrittenRun(observed, steps.by_update(run.copies), error, overwritten)


class _Argument(NamedTuple):
    """An argument of a step."""

    name: str
    kind: str  # "parameter", "state", "average", "noise", "rate"; empty for all others


class _Steps:
    """Reads the arguments of the steps of a run.

    Parameters
    ----------
    run, roles
        The run, and the roles of its functions.
    epochs
        Its events.
    """

    def __init__(self, run: ResumableCalls, roles: Roles, epochs: Epochs) -> None:
        self._run, self._roles, self._epochs = run, roles, epochs
        self._calls = [call for call in roles.calls if roles.is_step(call)]
        self._arguments: dict[int, list[_Argument]] = {}  # by the id of the variant

    @cached_property
    def held(self) -> dict[int, HeldState]:
        """The state before each update, as far as all steps are called later."""
        events = {
            event.update: number
            for number, event in enumerate(self._epochs.events)
            if isinstance(event, Called) and event.gradient
        }
        several = len(self._roles.steps) > 1
        found, later = {}, dict[int, LoopCall]()
        for update, call in reversed([*enumerate(self._calls)]):
            later[id(call.jitted)] = call
            if len(later) == len(self._roles.steps):
                found[update] = self._state(events[update], later.values(), several=several)
        return found

    def _state(self, event: int, calls: Iterable[LoopCall], *, several: bool) -> HeldState:
        """Return the state that the next calls of all steps are given."""
        values: dict[str, dict[str, str]] = {
            kind: {} for kind in ("parameter", "state", "average", "noise")
        }
        for call in calls:
            head = f"{call.jitted.name}: " if several else ""
            digests = self._run.arguments[call.number]
            for (name, kind), digest in zip(self._named(call), digests, strict=True):
                if kind in values:
                    values[kind][head + name] = digest
        return HeldState(
            event=event,
            parameters=values["parameter"],
            trained=frozenset(values["parameter"]),
            optimizers=values["state"],
            buffers=values["average"],
            random={f"the key {name}": digest for name, digest in values["noise"].items()},
        )

    def by_update(self, by_call: Mapping[int, Found]) -> dict[int, Found]:
        """Return what belongs to calls by the number of updates before, if there were any."""
        return {
            update: each
            for number, each in by_call.items()
            if (update := self.updates_before(number))
        }

    def updates_before(self, call: int) -> int:
        """Return how many updates come before the call of this number."""
        return sum(each.number < call for each in self._calls)

    @cached_property
    def rates(self) -> tuple[list[tuple[float, ...]], tuple[str, ...]]:
        """The numbers that each step is given, and their names."""
        if len({call.variant.form for call in self._calls}) != 1:
            return [()] * len(self._calls), ()
        named = self._named(self._calls[0])
        places = [n for n, (_, kind) in enumerate(named) if kind == "rate"]
        rates = [
            tuple(float(self._run.arguments[call.number][n]) for n in places)
            for call in self._calls
        ]
        return rates, tuple(named[n].name for n in places)

    def losses(self) -> dict[int, float]:
        """Return the first loss of each update."""
        known = self._run.losses
        return {u: known[c.number] for u, c in enumerate(self._calls) if c.number in known}

    def with_rates(self, saves: Mapping[int, SourceLine]) -> Epochs:
        """Return the events with the rates of steps; saves follow, in their order."""
        rates, _ = self.rates
        events = [
            replace(event, rates=rates[event.update]) if isinstance(event, Updated) else event
            for event in self._epochs.events
        ]
        facts: dict[str, Any] = {"keys": (), "position": False, "model": False, "optimizer": False}
        saved = (Saved(at=at, update=update, **facts) for update, at in saves.items())
        return replace(self._epochs, events=(*events, *saved))

    def _named(self, call: LoopCall) -> list[_Argument]:
        variant = call.variant
        if id(variant) not in self._arguments:
            tree = jax.tree.unflatten(variant.tree, variant.leaves)
            keyed = jax.tree_util.tree_flatten_with_path(tree)[0]
            kinds = self._kinds(variant)
            self._arguments[id(variant)] = [
                _Argument(".".join(path_of(keys)), kinds.get(number, ""))
                for number, (keys, _) in enumerate(keyed)
            ]
        return self._arguments[id(variant)]

    def _kinds(self, variant: Variant) -> dict[int, str]:
        facts = self._roles.facts(variant)
        state, keys = self._roles.state_of(variant), key_places(variant)
        acts, at_all = (self._behind(variant, whole=whole) for whole in (False, True))
        averages = {facts.own[each.input] for each in facts.averages(state)}
        found = dict.fromkeys(facts.own, "")
        for number in facts.own:
            leaf, own = variant.leaves[number], number in state
            if number in facts.trained:
                found[number] = "parameter"
            elif number in keys or (number in at_all - acts and (own or not np.ndim(leaf))):
                found[number] = "noise"
            elif own and number in acts:
                found[number] = "state"
            elif number in averages and np.ndim(leaf):
                found[number] = "average"
            elif number in acts and not np.ndim(leaf) and not own:
                found[number] = "rate"
        return found

    def _behind(self, variant: Variant, *, whole: bool) -> Inputs:
        """Return the arguments that the trained ones are computed from, sooner or later."""
        facts = self._roles.facts(variant)
        if facts.jaxpr is None:
            return Inputs()
        results = inputs_of(facts.jaxpr, whole=whole)
        fed = {
            (made[1], place)
            for call in self._calls
            if call.variant.form == variant.form
            for place, made in enumerate(call.made)
            if made is not None and self._roles.calls[made[0]].jitted is variant.jitted
        }
        behind, before = set(facts.trained), set[int]()
        while behind != before:
            before = {*behind}
            for result, place in fed:
                if place in before and result < len(results):
                    behind.update(facts.own[number] for number in results[result])
        return Inputs(behind)
