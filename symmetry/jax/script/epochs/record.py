"""The record of a run over shortened epochs, made from its calls.

A function evaluates if it is no step, takes trained parameters and several samples, returns single
numbers, and none of its results reaches a step: those of a rollout or of a teacher do. A policy
takes the state of one game, and returns an action. Whether a function evaluates in training mode
shows in its jaxpr: it drops out, or computes new statistics that a later step is given.

The record has the keys of random numbers by which the loop of a script draws.

    for i in range(1000):
        key = jax.random.key(7)                              the same one, made in the loop
        rows = jax.random.randint(key, (32,), 0, len(x))     so each batch has the same samples
        params = step(params, x[rows], key)                  and drops out the same entries
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.jax.jaxprs.averages import Average
from symmetry.jax.jaxprs.noise import Draw
from symmetry.jax.script.epochs.calls import EagerDraw, LoopCall, LoopCalls, LoopEntry, ModeSwitch
from symmetry.jax.script.epochs.facts import key_places
from symmetry.jax.script.epochs.roles import Roles, numbers_of
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.events import (
    Backward,
    Batch,
    Called,
    Epochs,
    Key,
    Loader,
    LoopEvent,
    LoopWords,
    Model,
    SteppedOptimizer,
    Switched,
    Updated,
)

_FEW = 4  # draws
_CHOOSING = "randint", "choice"  # functions that draw the samples of a batch


class Keys:
    """Follows the keys through the calls and draws of a run.

    Parameters
    ----------
    log
        The calls and draws, in their order.
    roles
        The roles of the functions.
    """

    def __init__(self, log: Sequence[LoopEntry], roles: Roles) -> None:
        self._log, self._roles = log, roles
        self._calls = [each for each in log if isinstance(each, LoopCall)]

    def found(self) -> Iterator[Key]:
        """Yield the keys that the loop draws by, where that can be followed."""
        for mine in self._roles.steps:
            yield from self._keys_of_step([c for c in self._calls if id(c.jitted) == mine])
        yield from self._keys_of_batches()

    def _keys_of_step(self, calls: Sequence[LoopCall]) -> Iterator[Key]:
        """Yield the keys that a step is given, and draws noise of its model by."""
        variant = calls[0].variant
        mine = [call for call in calls if call.variant is variant]
        facts = self._roles.facts(variant)
        varies = self._varies(mine)
        for place in key_places(variant):
            digests = {call.digests[place] for call in mine}
            if any(call.made[place] for call in mine) or "" in digests or len(mine) < len(calls):
                continue
            noise = facts.fixed_noise({place}, self._roles.trained_by(variant))
            draws = [draw for draw in noise if draw.fixed and (draw.drops or varies)]
            for draw in draws[:1]:
                yield Key(
                    at=draw.at,
                    draws="dropout" if draw.drops else "noise",
                    values=len(digests),
                    times=len(mine),
                    made=self._made_in_loop(next(iter(digests)), mine),
                )

    def _varies(self, calls: Sequence[LoopCall]) -> bool:
        """Return whether the data of calls is not the same in each of them."""
        return len({tuple(self._roles.data(call).values()) for call in calls}) > 1

    def _made_in_loop(self, digest: str, calls: Sequence[LoopCall]) -> Any:
        """Return the line that makes a key from a seed between calls, again and again."""
        inside = self._log[self._log.index(calls[0]) :]
        lines = [
            e.at for e in inside if isinstance(e, EagerDraw) and not e.size and e.key == digest
        ]
        return lines[0] if len(lines) > 1 else NOWHERE

    def _keys_of_batches(self) -> Iterator[Key]:
        """Yield the keys of draws that choose the samples of each batch, between all steps."""
        for mine in self._roles.steps:
            steps = [
                (n, e)
                for n, e in enumerate(self._log)
                if isinstance(e, LoopCall) and id(e.jitted) == mine and self._roles.data(e)
            ]
            windows = [
                [e for e in self._log[n:m] if isinstance(e, EagerDraw) and e.name in _CHOOSING]
                for (n, _), (m, _) in pairwise(steps)
            ]
            if len(windows) < _FEW:
                continue
            samples = self._roles.samples(steps[0][1])
            batches = {" ".join(self._roles.data(call).values()) for _, call in steps}
            for line in dict.fromkeys(draw.at for draw in windows[0]):
                draws = [[d for d in window if d.at == line] for window in windows]
                if not all(len(own) == 1 and own[0].size == samples for own in draws):
                    continue
                values = len({own[0].key for own in draws})
                if (values == 1) == (len(batches) == 1):
                    yield Key(
                        at=line,
                        draws="the samples of each batch",
                        values=values,
                        times=len(draws),
                        made=draws[0][0].made,
                    )


WORDS = LoopWords(
    framework="JAX",
    worker="jax.process_index()",
    worker_seed="jax.random.fold_in(key, jax.process_index())",
    draw="jax.random.uniform",
    copies="jnp.array() makes it; numpy.asarray() makes none",
    no_gradients="a function that returns no state",
    save="save",
    seeded=frozenset(),
    evaluates="eval()",
    trains="Call train() before each epoch.",
    quietly="Evaluate without dropout, and hand no statistics of an evaluation on to the training.",
    state="the state of the step",
)
# Equinox switches no model: it makes another one.
OF_EQUINOX = replace(
    WORDS,
    evaluates="inference_mode()",
    trains="Keep the model that is trained under a name of its own.",
)


_NAME = "the model"


def epochs_of(
    name: str, run: LoopCalls, roles: Roles, error: TrainingError | None = None
) -> Epochs:
    """Return the record of a run, in which functions have these roles; an ``error`` ended it."""
    record = _Record(run, roles)
    record.write()
    by_equinox = any(isinstance(e, ModeSwitch) and e.of_equinox for e in run.log)
    return Epochs(
        name=name,
        words=OF_EQUINOX if by_equinox else WORDS,
        events=tuple(record.events),
        loaders=tuple(record.loaders.values()),
        models=record.models(),
        optimizers=tuple(record.optimizers.values()),
        keys=() if run.is_limited else tuple(Keys(record.log, record.roles).found()),
        averages=record.averages(),
        stale=record.stale(),
        ended=run.ended or ("the script's end" if error is None else f"an error: {error}"),
        is_whole=not run.ended and error is None,
        is_limited=run.is_limited,
        has_saved=run.has_saved,
        without_seed=tuple(run.without_seed),
        error="" if error is None else str(error),
        failure=None if error is None else error.failure,
        has_modes=any(isinstance(each, ModeSwitch) for each in run.log),
        sees_attributes=False,
    )


class _Record:
    """Writes the events of a run."""

    def __init__(self, run: LoopCalls, roles: Roles) -> None:
        self.roles = roles
        calls = iter(self.roles.calls)
        self.log = [next(calls) if isinstance(e, LoopCall) else e for e in run.log]
        self.events: list[LoopEvent] = []
        self.loaders: dict[int, Loader] = {}  # by the id of the function that they are given to
        self.optimizers: dict[int, SteppedOptimizer] = {}  # by the id of the step
        self.evaluated: list[LoopCall] = []  # evaluations behind a step
        self._updates = 0
        # The most of each that a step has, by the number of its model.
        self._parameters, self._dropouts, self._statistics = (Counter[int]() for _ in range(3))
        self._batches: dict[tuple[int, str, int], int] = {}  # the events of batches
        self._taught = {
            self.roles.inputs(call) for call in self.roles.calls if self.roles.is_step(call)
        }

    def write(self) -> None:
        """Write the events of all calls that were computed, and of all evaluations."""
        for each in self.log:
            if isinstance(each, ModeSwitch):
                self._switch(each)
            elif isinstance(each, LoopCall) and self.roles.is_step(each):
                if each.is_computed:
                    self._step(each)
            elif isinstance(each, LoopCall) and self._evaluates(each):
                self._evaluation(each)

    def models(self) -> tuple[Model, ...]:
        """Return the models, one for each beginning from new parameters."""
        return tuple(
            Model(
                number=number,
                name=_NAME,
                parameters=self._parameters[number],
                is_trained=self._updates > 0,
                dropouts=self._dropouts[number],
                statistics=self._statistics[number],
            )
            for number in self.roles.models
        )

    def averages(self) -> frozenset[SourceLine]:
        """Return the lines of averages whose old value is an argument that the loop changes."""
        roles = self.roles
        variants = {id(call.variant): call.variant for call in roles.calls}
        return frozenset(
            average.at
            for variant in variants.values()
            for average in roles.facts(variant).averages(roles.changing(variant))
        )

    def stale(self) -> frozenset[SourceLine]:
        """Return the lines of averages that evaluations read as they were before all steps.

        The steps are given the same arrays. An evaluation comes behind a step, and its scores
        depend on each of them.
        """
        roles, found = self.roles, set[SourceLine]()
        variants = {id(c.variant): c for c in roles.calls if roles.is_step(c)}
        scores = [self._arrays_read(call) for call in self.evaluated]
        for step in variants.values():
            facts, changing = roles.facts(step.variant), roles.changing(step.variant)
            steady = [n for n, digest in enumerate(step.digests) if digest and n not in changing]
            averages = facts.statistics(steady, sorted(facts.trained))
            for at in {average.at for average in averages}:
                old = {step.digests[facts.own[a.input]] for a in averages if a.at == at}
                if any(old <= read for read in scores):
                    found.add(at)
        return frozenset(found)

    def _arrays_read(self, call: LoopCall) -> set[str]:
        """Return the digests of the arrays that no function has made, and that results need."""
        return {call.digests[number] for number in self.roles.facts(call.variant).read} - {""}

    def _add(self, kind: type[LoopEvent], at: Any, **facts: Any) -> int:
        self.events.append(kind(at=at, update=self._updates, **facts))
        return len(self.events) - 1

    def _switch(self, switch: ModeSwitch) -> None:
        """Write that each model is switched: which one it is cannot be seen."""
        for model in self.roles.models:
            self._add(Switched, switch.at, model=model, training=switch.training, was_training=True)

    def _step(self, call: LoopCall) -> None:
        facts = self.roles.facts(call.variant)
        parameters = sorted(facts.trained)
        drops = [draw for draw in facts.noise(parameters) if draw.drops]
        state = self.roles.state_of(call.variant)
        averages = [a for a in facts.statistics(state, parameters) if not a.of_gradients]
        model = self.roles.model(call)
        for most, size in (
            (self._parameters, numbers_of(call.variant, parameters)),
            (self._dropouts, len(drops)),
            (self._statistics, len(_lines(averages))),
        ):
            most[model] = max(most[model], size)
        number = self._called(call, drops, _lines(averages), True)
        mine = id(call.jitted)
        if mine not in self.optimizers:
            self.optimizers[mine] = SteppedOptimizer(
                number=len(self.optimizers),
                kind=call.jitted.name,
                parameters=len(parameters),
                has_state=len(state) > 0,
            )
        unread = facts.unread
        self._add(
            Backward,
            unread[0] if unread else call.at,
            number=self._updates,
            held=len(parameters),
            beside=False,
            operation="grad",
            calls=frozenset([number]),
            is_read=not unread,
        )
        self._add(
            Updated,
            call.at,
            optimizer=self.optimizers[mine].number,
            rates=(),
            backwards=(self._updates,),
            again=(),
            clips=(),
            states={},
        )
        self._updates += 1

    def _evaluates(self, call: LoopCall) -> bool:
        """Return whether a call evaluates what is trained, on data that has a digest."""
        roles = self.roles
        data = roles.data(call)
        if not data or not all(data.values()) or not roles.places(call, roles.trained):
            return False
        if not self._has_samples(call):
            return False
        return not roles.facts(call.variant).trained and self._returns_scores(call)

    def _has_samples(self, call: LoopCall) -> bool:
        """Return whether a call is given several samples, as steps are: no single one of theirs."""
        shape, steps = self.roles.input_shape(call), self.roles.step_shapes
        alike = (_ends_with(s, shape[1:]) and not _ends_with(s[1:], shape) for s in steps)
        return shape[0] > 1 and (any(alike) or not any(steps))

    def _returns_scores(self, call: LoopCall) -> bool:
        """Return whether a call returns single numbers, beside new values of the state.

        A single one is a score, though the state may have a counter. Outputs for each sample may be
        labels of a teacher, which a loop hands to a step as arrays of NumPy.
        """
        passed = self.roles.facts(call.variant).passed
        changed = (n for n in self._state_in(call) if n not in passed.values())
        results = Counter(s for n, s in enumerate(call.variant.results) if n not in passed)
        shapes = (call.variant.leaves[n].shape for n in changed)
        results -= Counter(shape for shape in shapes if np.prod(shape) > 1)
        return bool(results) and all(np.prod(shape) == 1 for shape in results)

    def _state_in(self, call: LoopCall) -> list[int]:
        return self.roles.places(call, self.roles.state)

    def _evaluation(self, call: LoopCall) -> None:
        """Write an evaluation, if none of its results reaches a step."""
        roles, facts = self.roles, self.roles.facts(call.variant)
        parameters, state = roles.places(call, roles.trained), self._state_in(call)
        averages = facts.statistics(state, parameters) if state else ()
        taught = [a for a in averages if roles.hands_on(call, facts.own[a.input])]
        if roles.reaches_a_step(call, [facts.own[a.input] for a in taught]):
            return
        drops = [draw for draw in facts.noise(parameters) if draw.drops]
        others = () if drops else (a for a in averages if a not in taught)
        unread = [a for a in others if facts.own[a.input] not in facts.read]
        if any(draw.keys and draw.keys[0] != self.roles.samples(call) for draw in drops):
            drops = []  # several samples of the model's uncertainty
        self._called(call, drops, _lines(taught), False, _lines(unread))
        if self._updates:
            self.evaluated.append(call)

    def _called(
        self,
        call: LoopCall,
        drops: Sequence[Draw],
        statistics: Sequence[str],
        gradient: bool,
        unread: Sequence[str] = (),
    ) -> int:
        """Write a call of the model, with its batch; return the number of its event."""
        data = self.roles.data(call)
        digest = " ".join(data.values())
        loader = self._loader(call, gradient or self.roles.inputs(call) in self._taught)
        key = loader, digest, self._updates
        shapes = tuple(" x ".join(map(str, call.variant.leaves[n].shape)) for n in data)
        if data and (key not in self._batches or gradient):
            self._batches[key] = self._add(
                Batch,
                call.at,
                loader=loader,
                iterator=loader,
                number=len(self._batches) + 1,
                digest=digest,
                order=None,
                shapes=shapes,
                states={},
            )
        return self._add(
            Called,
            call.at,
            model=self.roles.model(call),
            gradient=gradient,
            training=bool(drops or statistics),
            dropouts=tuple(draw.place for draw in drops),
            statistics=tuple(statistics),
            batch=self._batches.get(key),
            loader=loader,
            is_used=True,
            shapes=shapes,
            digest=digest,
            unread=tuple(unread),
        )

    def _loader(self, call: LoopCall, trains: bool) -> int:
        """Return the number of the data that a function is given; all steps have the same."""
        key = 0 if trains else id(call.jitted)
        if key not in self.loaders:
            self.loaders[key] = Loader(
                number=len(self.loaders),
                at=call.at,
                data=f"arguments of {call.jitted.name}",
                samples=None,
                batches=None,
                size=None,
                sampler="",
                shuffles=False,
                workers=0,
                source=len(self.loaders),
            )
        return self.loaders[key].number


def _ends_with(shape: Sequence[int], last: Sequence[int]) -> bool:
    return len(last) <= len(shape) and shape[len(shape) - len(last) :] == last


def _lines(averages: Sequence[Average]) -> list[str]:
    """Return the lines that compute running statistics, each once."""
    return [*dict.fromkeys(str(average.at) for average in averages)]
