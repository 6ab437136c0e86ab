"""The first updates of a script on one trace: the equations of its step, up to its gradients.

The jaxpr of a step has its forward and its backward, and all that lies between them. Loops and
choices are one operation each: all of their operands move all of their results.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import Literal, Var

from symmetry.base.errors import TrainingError
from symmetry.jax.jaxprs.graph import Graph
from symmetry.jax.jaxprs.interpreter import bind, is_key
from symmetry.jax.jaxprs.noise import is_random
from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.jaxprs.recorder import JaxprRecorder, Value, everything
from symmetry.jax.jaxprs.step import Flat, StepManner, TracedStep
from symmetry.jax.jaxprs.walk import Site
from symmetry.jax.made import has_numbers, is_array, is_number
from symmetry.jax.names import keyed_leaves
from symmetry.jax.probes.provenance import SHAPES
from symmetry.jax.probes.sites import largest
from symmetry.jax.run import JaxRun
from symmetry.jax.script.repeated_step import RepeatedCall, RepeatedStep
from symmetry.jax.script.round import RecordedCall
from symmetry.observe.source_line import SourceLine
from symmetry.training.trace import Perform, Trace
from symmetry.training.updates import Doing, Entry, TracedUpdate, Updates
from symmetry.units.state import Array

_UPDATES = 3  # what holds in one may be chance
_LARGE_TRACE = 3000  # equations from which no further step is recorded
_MOST = 6000  # equations of a step
_BYTES = 1 << 28  # of all values of a step: each is kept

# The names that the invariants have for operations.
_NAMES = {
    "add_any": "add",
    "argmax": "argmax",
    "broadcast_in_dim": "expand",
    "concatenate": "cat",
    "copy": "clone",
    "copy_p": "clone",
    "dynamic_slice": "slice",
    "integer_pow": "pow",
    "logistic": "sigmoid",
    "max": "maximum",
    "min": "minimum",
    "reduce_sum": "sum",
    "reshape": "view",
    "select_n": "where",
    "stop_gradient": "detach",
    "transpose": "permute",
}


class UpdateRecorder(JaxprRecorder):
    """Records the steps of a training, each up to its gradients."""

    def __init__(self) -> None:
        super().__init__({})
        self.doings: list[Doing] = []
        self.updates: list[TracedUpdate] = []
        self.entries: list[Entry] = []
        self.weights, self.carrying, self.late = set[int](), set[int](), set[int]()
        self.draws, self.read = dict[int, int](), dict[int, int]()
        self._doing = Doing(0, gradient=False, backward=False, direct=False)
        self._variables: dict[Any, Value] = {}  # of the present step
        self._sums: dict[int, tuple[Any, Value]] = {}  # the equation and the operand, by the sum
        self._known: dict[int, Value] = {}  # arrays from outside, by id
        self._states: list[list[Value]] = []  # before each step
        self._calls: dict[int, list[Value]] = {}  # results by the numbers of calls in the log
        self._graph: Graph = None  # type: ignore[assignment]
        self._parts: dict[Any, _Part] = {}

    def update(self, run: JaxRun) -> None:
        """Record the next step of a run.

        Raises
        ------
        TrainingError
            If it has too many values, or none that is known.
        """
        traced = run.traced
        flat, part = traced.flat(StepManner()), self._part_of(traced)
        begin, first = len(self.trace.nodes), len(self.updates)
        state = [*map(self._outside, run.leaves.values)]
        self._states.append(state)
        inputs = [*state, *map(self._outside, run.inputs())]
        inputs[len(state) :] = self._from_calls(run, inputs[len(state) :])
        self._record(part, inputs)
        pairs = ((n, v) for n, v in flat.variables.items() if isinstance(v, Var))
        named = {n: self._number(self._variables[v]) for n, v in pairs if v in self._variables}
        every = (_Call.of(each, named, self.trace) for each in _calls(traced))
        calls = sorted(every, key=lambda call: call.end)
        gradients = frozenset[int]().union(*(call.gradients for call in calls))
        held = {self._number(state[number]) for number in traced.parameters}
        for trained, same in groupby(calls, key=lambda call: call.trained):
            own = [*same]  # as of micro-batches: no update lies between them
            end = max(begin, own[-1].end)
            held |= trained
            self.weights.update(held, self._copies(traced, inputs, trained))
            losses = frozenset(call.loss for call in own if call.loss is not None)
            self.updates.append(
                TracedUpdate(range(begin, end), losses, gradients, frozenset(held), trained)
            )
            for k in range(begin, end):
                self.doings[k] = replace(self.doings[k], update=len(self.updates) - 1)
            begin = end
        end = len(self.trace.nodes)
        self.read.update((n, end) for name, n in named.items() if name.startswith("aux."))
        marked = {n for name, n in named.items() if name.startswith("custom.")}
        self.carrying |= self.trace.downstream(marked) if marked else set()
        self._note_entries(run, inputs[len(state) :], range(first, len(self.updates)))

    def _record(self, part: _Part, inputs: Sequence[Value]) -> list[Value]:
        """Record all equations of a part of a function; return its results."""
        self.computed = part.compute([value.array for value in inputs])
        self._variables = dict(zip(part.flat.jaxpr.jaxpr.invars, inputs, strict=True))
        self._graph = part.flat.graph
        return self.run(part.flat.jaxpr, *inputs)

    def _from_calls(self, run: JaxRun, given: Sequence[Value]) -> list[Value]:
        """Return the arrays of a batch; those that other calls compute from the state as results.

        So the log-probabilities of a policy that a function of its own has computed before.
        """
        leaves = jax.tree.leaves(run.program.given(run.taken))
        own = [*given]
        for call in (leaf for leaf in leaves if isinstance(leaf, RepeatedCall)):
            for place, made in enumerate(call.step.makers(call.number)):
                result = made and self._result(call.step, *made)
                if result and _is_close(result.array, own[place].array):
                    own[place] = result
        return own

    def _result(self, step: RepeatedStep, number: int, result: int) -> Value | None:
        """Return a result of a call that takes leaves of the state; None of others."""
        if number not in self._calls:
            call, state = step.log[number], step.state_in(number)
            self._calls[number] = self._called(call, state) if state else []
        found = self._calls[number]
        return found[result] if found else None

    def _called(self, call: RecordedCall, state: Mapping[int, tuple[int, int]]) -> list[Value]:
        """Record a call that takes leaves of the state; return its results."""
        own = [
            n
            for n, leaf in enumerate(call.leaves)
            if n not in call.constants and (n in state or is_array(leaf))
        ]
        inputs = [
            self._states[state[n][0]][state[n][1]] if n in state else self._outside(call.leaves[n])
            for n in own
        ]

        def run(arrays: Sequence[Any]) -> list[Any]:
            leaves = dict(enumerate(call.leaves)) | dict(zip(own, arrays, strict=True))
            arguments = jax.tree.unflatten(call.tree, leaves.values())
            results: list[Any] = jax.tree.leaves(call.jitted.called(arguments))
            return results

        shapes = tuple((each.array.shape, each.array.dtype) for each in inputs)
        fixed = str([call.leaves[n] for n in sorted(call.constants)])
        key = id(call.jitted), call.tree, shapes, fixed
        if key not in self._parts:
            try:
                with jax.enable_x64(False):
                    closed = jax.make_jaxpr(run)([value.array for value in inputs])
            except Exception:  # of a function that needs plain numbers
                return []
            traced = TracedStep(closed, 0, None, varying=len(inputs))
            self._parts[key] = _Part(traced.flat(StepManner()))
        return self._record(self._parts[key], inputs)

    def _part_of(self, traced: TracedStep) -> _Part:
        """Return the part of a step that is recorded."""
        if traced not in self._parts:
            self._parts[traced] = _up_to_gradients(traced)
        return self._parts[traced]

    def _outside(self, array: Any) -> Value:
        """Return the value of an array from outside: the same one for the same array."""
        value = self._known.get(id(array))
        if value is None or value.array is not array:
            value = self._known[id(array)] = Value(array, data=True)
        return value

    def _copies(
        self, traced: TracedStep, inputs: Sequence[Value], trained: Collection[int]
    ) -> list[int]:
        """Return the arrays that the losses read, and that have the shapes of a whole model.

        A teacher, a reference and a target network are copies of a model.
        """
        shapes = Counter(self.trace.arrays[n].shape for n in trained)
        read = {*traced.read}.difference(traced.parameters)
        fixed = range(traced.varying, len(inputs))
        found = list[int]()
        for group in (read, fixed):
            arrays = [inputs[n] for n in group if np.shape(inputs[n].array) in shapes]
            arrays = [each for each in arrays if not is_key(each.array.dtype)]
            arrays = [each for each in arrays if has_numbers(each.array)]
            counts = Counter(np.shape(each.array) for each in arrays)
            if len(trained) > 1 and all(counts[s] and not counts[s] % n for s, n in shapes.items()):
                found += map(self._number, arrays)
        return found

    def _note_entries(self, run: JaxRun, given: Sequence[Value], updates: range) -> None:
        """Note the names of the arrays of a batch with several axes."""
        keyed = keyed_leaves(run.program.given(run.taken))
        named = [path for path, leaf in keyed if is_number(leaf)]
        for path, value in zip(named, given, strict=False):
            if np.ndim(value.array) > 1:
                name, number = ".".join(path[1:]), self._number(value)
                self.entries += [Entry(number, update, name) for update in updates]

    def perform(self, equation: Any, args: Sequence[Value]) -> Sequence[Value]:
        """Record an equation as one operation, with its circumstances."""
        name = equation.primitive.name
        if name == "shard_map":
            raise TrainingError("several devices share its work in a shard_map")
        gradient, backward = _phase(equation)
        self._doing = Doing(len(self.updates), gradient, backward, direct=False)
        before = len(self.trace.nodes)
        place = place_of(equation)
        results = self._mean(equation, args, place) or self.as_one(equation, args, place)
        numbers = [*map(self._number, results)]
        if name == "stop_gradient" and is_shift(self._graph, equation):
            self.carrying.update(numbers)
        if name == "reduce_sum":
            self._sums[numbers[0]] = equation, args[0]
        if "rematted" in str(equation.source_info.name_stack):
            self.late.update(numbers)  # it stands for a value of the forward, which is another one
        if is_random(equation) or (name == "argmax" and self._is_drawn(args[0])):
            self.draws.update(dict.fromkeys(numbers, before))
        self._variables.update(zip(equation.outvars, results, strict=True))
        return results

    def _is_drawn(self, value: Value) -> bool:
        """Return whether random numbers are in the scores that an entry is chosen by."""
        return not self.draws.keys().isdisjoint(self.trace.upstream({self._number(value)}))

    def _mean(self, equation: Any, args: Sequence[Value], place: SourceLine) -> Sequence[Value]:
        """Record a sum that is divided by the number of its entries as the mean that it is."""
        if equation.primitive.name != "div" or not isinstance(equation.invars[1], Literal):
            return ()
        divisor = equation.invars[1]
        sum_of = self._sums.get(-1 if args[0].number is None else args[0].number)
        if sum_of is None:
            return ()
        (total, value), more = sum_of, args[1].array
        if np.size(value.array) != float(divisor.val) * np.size(args[0].array):
            return ()
        if "mean" not in place.source or value.number is None:
            return ()

        def run(values: Sequence[Any]) -> Sequence[Any]:
            return bind(equation, [*bind(total, values, total.params), more], equation.params)

        return self._add([value], run, self.computed[self.site], "mean", place)

    def _moves(self, value: Value) -> bool:  # noqa: ARG002
        """Return that each value is on the trace."""
        return True

    def _node(
        self,
        inputs: tuple[int, ...],
        values: Sequence[Value],
        run: Any,
        name: str,
        place: SourceLine,
        integers: frozenset[int],
    ) -> None:
        if name == "convert_element_type":
            kinds = [self.trace.arrays[n].dtype for n in inputs] or [np.dtype(bool)]
            rounds = kinds[0].kind not in "biu" and kinds[0] != values[0].array.dtype
            name = "_to_copy" if rounds else "alias"
        super()._node(inputs, values, run, _NAMES.get(name, name), place, integers)
        node, arrays = self.trace.nodes[-1], self.trace.arrays
        kept = _without_rounding(node.perform, [arrays[n] for n in node.outputs])
        self.trace.nodes[-1] = replace(node, perform=kept)
        self.doings.append(self._doing)


def _without_rounding(perform: Perform, results: Sequence[Array]) -> Perform:
    """Return a function that moves no entry of the results of an operation by rounding alone.

    An operation rounds otherwise in a compiled step than by itself.
    """
    alone = list[Array]()

    def performed(arrays: Mapping[int, Array]) -> list[Array]:
        if not alone:
            alone.extend(perform({}))
        return [
            np.where(new == before, result, new) if new.shape == result.shape else new
            for new, before, result in zip(perform(arrays), alone, results, strict=True)
        ]

    return performed


def _is_close(result: Any, given: Any) -> bool:
    """Return whether a result is what the script was given, up to rounding."""
    if np.shape(result) != np.shape(given) or result.dtype != given.dtype or is_key(given.dtype):
        return False
    one, other = (np.asarray(each, np.float64) for each in (result, given))
    limit = 1e-2 if has_numbers(given) else 0
    return bool(np.allclose(one, other, rtol=limit, atol=limit, equal_nan=True))


def _phase(equation: Any) -> tuple[bool, bool]:
    """Return whether an equation is in a function that is differentiated, or in a backward."""
    phases = str(equation.source_info.name_stack)
    return "jvp(" in phases and "transpose(" not in phases, "transpose(" in phases


def is_shift(graph: Graph, equation: Any) -> bool:
    """Return whether the largest score is cut only to be subtracted from all scores.

    Libraries take exponentials so: the difference is the same for any number.
    """
    top = largest(graph, equation.invars[0])
    if top is None:
        return False
    shown = graph.follow(equation.outvars, lambda e, _: e.primitive.name in SHAPES)
    readers = (graph.equations[n] for v in shown for n, _ in graph.readers(v))
    return any(e.primitive.name == "sub" and e.invars[0] is top.invars[0] for e in readers)


def _has_matter(traced: TracedStep) -> bool:
    """Return whether anything in the losses is cut from a gradient, or weighs one."""
    forward = traced.losses_of(StepManner())
    for equation in forward.equations:
        name, atoms = equation.primitive.name, equation.invars
        if name == "stop_gradient" and not is_shift(forward, equation):
            return True
        if not any(_phase(equation)) and any(map(forward.is_of_model, atoms)):
            return True
        arrays = all(a.aval.ndim and not isinstance(a, Literal) for a in atoms)
        if name == "mul" and arrays and sum(map(forward.is_trained, atoms)) == 1:
            return True
    return False


class _Part:
    """A part of a function that is recorded, without calls.

    Parameters
    ----------
    flat
        Its equations.
    wanted
        The variables whose values invariants read; of a backward they only ask what it depends on.
        All outputs by default.
    """

    def __init__(self, flat: Flat, wanted: Sequence[Any] | None = None) -> None:
        self.flat = flat
        outputs = flat.jaxpr.jaxpr.outvars if wanted is None else wanted
        self._needed = frozenset(flat.graph.ancestors(outputs))
        self._compute = everything(flat, self._needed)

    def compute(self, inputs: Sequence[Any]) -> dict[Site, Sequence[Any]]:
        """Return the results of the equations by their sites: zeros where nothing is needed."""
        results = iter(self._compute(self.flat.jaxpr.consts, inputs))
        return {
            (n,): next(results) if n in self._needed else [*map(_zeros, equation.outvars)]
            for n, equation in enumerate(self.flat.graph.equations)
        }


def _zeros(variable: Any) -> Any:
    aval = variable.aval
    return np.broadcast_to(
        np.zeros((), np.uint32 if is_key(aval.dtype) else aval.dtype), aval.shape
    )


def _calls(traced: TracedStep) -> list[list[str]]:
    """Return the gradients of each call that differentiates what is trained, by their names.

    A further call in the same step differentiates the parameters as they are by then: they have the
    same shapes.
    """
    variables = traced.flat(StepManner()).variables
    calls: dict[str, list[str]] = {}
    for name in variables:
        around, is_one, mark = name.rpartition("gradient.")
        if is_one and _beside(name, "parameter") in variables:
            calls.setdefault(around + mark.partition(".")[0], []).append(name)

    def shapes(names: Iterable[str]) -> list[Any]:
        return sorted(variables[name].aval.shape for name in names)

    known = [shapes(names) for names in calls.values() if names[0] in traced.gradients]
    return [names for names in calls.values() if shapes(names) in known]


def _beside(gradient: str, kind: str) -> str:
    """Return the name of the parameter of a gradient, or of the loss."""
    name = gradient.replace("gradient", kind)
    return name.rpartition(".")[0] if kind == "loss" else name


class _Call(NamedTuple):
    """A call that differentiates what is trained."""

    end: int  # the number of operations when its last gradient is there
    trained: frozenset[int]
    gradients: frozenset[int]
    loss: int | None

    @classmethod
    def of(cls, names: Sequence[str], named: Mapping[str, int], trace: Trace) -> _Call:
        """Return the call with these gradients."""
        gradients = frozenset(named[name] for name in names if name in named)
        parameters = (_beside(name, "parameter") for name in names)
        trained = frozenset(named[name] for name in parameters if name in named)
        end = 1 + max((trace.maker.get(number, -1) for number in gradients), default=-1)
        return cls(end, trained, gradients, named.get(_beside(names[0], "loss")))


def _up_to_gradients(traced: TracedStep) -> _Part:
    """Return the part of a step that computes its gradients, and what it returns beside them.

    Raises
    ------
    TrainingError
        If it has too many values, or none that an invariant asks for.
    """
    flat, calls = traced.flat(StepManner()), _calls(traced)
    if not calls:
        raise TrainingError("its step does not show its gradients")
    if not _has_matter(traced):
        raise TrainingError("nothing in its losses is cut from a gradient, or weighs one")
    losses = {_beside(names[0], "loss") for names in calls}
    values = [name for name in flat.outputs if name.startswith("aux.") or name in losses]
    part = flat.only((*values, *(name for names in calls for name in names)))
    made = [v.aval for each in part.graph.equations for v in each.outvars]
    sizes = (aval.size * aval.dtype.itemsize for aval in made if not is_key(aval.dtype))
    if len(part.graph.equations) > _MOST or sum(sizes) > _BYTES:
        raise TrainingError("its steps are too large to be traced")
    return _Part(part, [flat.variables[name] for name in values])


def run_updates(run: JaxRun) -> Updates:
    """Take the first steps of a run, and return them on a trace."""
    recorder, why = UpdateRecorder(), ""
    try:
        with jax.enable_x64(True):
            recorder.update(run)
            while len(recorder.updates) < _UPDATES and len(recorder.doings) < _LARGE_TRACE:
                run.step()
                recorder.update(run)
    except TrainingError as error:
        why = str(error)
    return Updates(
        trace=recorder.trace,
        doings=tuple(recorder.doings),
        updates=tuple(recorder.updates),
        weights=frozenset(recorder.weights),
        entries=tuple(recorder.entries),
        draws=recorder.draws,
        read=recorder.read,
        carrying=frozenset(recorder.carrying),
        late=frozenset(recorder.late),
        why=why,
        cutting="stop_gradient()",
    )
