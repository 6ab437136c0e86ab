"""The probe of a JAX run: see ``symmetry.training.losses``. Its facts are those of the next step.

Nothing is hooked: the losses, their outputs and their labels are values in the jaxpr of the step,
so other tokens are put in their place by evaluating it again.

The labels of a loss of classes choose a class for each row of the scores. A step looks tokens up in
a table, by comparing them with all classes, or in a loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby, takewhile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from symmetry.jax.executables import quickly
from symmetry.jax.jaxprs.forward import Forward
from symmetry.jax.jaxprs.graph import Operand
from symmetry.jax.jaxprs.interpreter import bind, kind_of
from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.probes.goals import Goal, goals
from symmetry.jax.probes.leak import BackwardSearch
from symmetry.jax.probes.masks import (
    lengths,
    masks,
    may_be_filled,
    padding_by_lengths,
    padding_by_places,
)
from symmetry.jax.probes.pairs import PairSite, pairs
from symmetry.jax.probes.provenance import CASTS, SHAPES, makers, source
from symmetry.jax.probes.sites import Site, sites
from symmetry.jax.probes.texts import place_among_arrays, texts_in
from symmetry.jax.stepper import Stepper
from symmetry.observe.source_line import SourceLine
from symmetry.training.losses import (
    Argument,
    LeakSearch,
    LossCall,
    LossProbe,
    Moved,
    Observed,
    Padded,
    Pair,
    Tokens,
)
from symmetry.training.texts import padding_by_mask
from symmetry.units.state import Array

IGNORED = -100  # the label of a row that no label is known of
_ONE = 1e-5  # how far chances may be from one in all


def chosen_by(equation: Any, args: Sequence[Any], position: int, axis: int) -> Array | None:
    """Return what an operation chooses among the scores, which are this operand; None if nothing.

    They are numbers of classes, one for each row; or as many chances as there are scores.
    """
    name, shape = equation.primitive.name, args[position].shape
    if name in ("gather", "dynamic_slice"):
        return _gathered(equation, args, shape, axis)
    if name == "select_n":
        mask = np.asarray(args[0], bool)
        return _as_labels((mask if position == 2 else ~mask).astype(np.float64), axis)
    other = np.asarray(args[1 - position], np.float64)
    if name == "dot_general" and not _is_entrywise(equation, len(shape)):
        return None
    return _as_labels(other, axis)


def _gathered(
    equation: Any, args: Sequence[Any], shape: tuple[int, ...], axis: int
) -> Array | None:
    """Return the class of each row, by taking the numbers of the entries instead of them."""
    numbers = jnp.arange(np.prod(shape, dtype=int)).reshape(shape)
    params = dict(equation.params)
    if equation.primitive.name == "gather":
        params["fill_value"] = -1
    (taken,) = bind(equation, [numbers, *args[1:]], params)
    flat = np.unique(np.asarray(taken).ravel())
    flat = flat[(flat >= 0) & (flat < numbers.size)]
    places = [*np.unravel_index(flat, shape)]
    classes = places.pop(axis)
    rows = tuple(n for k, n in enumerate(shape) if k != axis)
    where = np.ravel_multi_index(places, rows) if rows else np.zeros(len(flat), int)
    if not len(where) or len(np.unique(where)) < len(where):
        return None
    labels = np.full(int(np.prod(rows, dtype=int)), IGNORED)
    labels[where] = classes
    return labels.reshape(rows)


def _as_labels(chances: Array, axis: int) -> Array | None:
    """Return chances as labels if each row has one, or none; as they are if they sum to one."""
    sums = chances.sum(axis)
    empty = sums == 0
    if (chances < 0).any() or not (empty | (abs(sums - 1) < _ONE)).all() or empty.all():
        return None
    if not np.isin(chances, (0, 1)).all():
        return None if empty.any() else chances
    return np.where(empty, IGNORED, chances.argmax(axis))


def _is_entrywise(equation: Any, ndim: int) -> bool:
    """Return whether a product only multiplies entries at the same places."""
    (mine, others), (batch, other_batch) = equation.params["dimension_numbers"]
    pairs = [*zip(mine, others, strict=True), *zip(batch, other_batch, strict=True)]
    return len(pairs) == ndim and all(one == other for one, other in pairs)


_FEWEST = 3  # tokens in a row


@dataclass(frozen=True)
class Lookup:
    """An operand that holds tokens."""

    operand: Operand  # which one it is
    atom: Any  # the value there
    column: int | None  # where its last axis holds them; None if it has no axis but theirs

    def tokens_in(self, value: Any) -> Array:
        """Return the tokens, (batch, tokens) or (tokens, batch)."""
        array = np.asarray(value)
        return array if self.column is None else array[..., self.column]

    def holding(self, tokens: Array, like: Any) -> Array:
        """Return other tokens as this operand holds them."""
        array = np.array(like)
        array[... if self.column is None else (..., self.column)] = tokens
        return array


def lookups(forward: Forward) -> list[Lookup]:
    """Return the operands that may hold tokens, in the order of the equations."""
    found = []
    for number, equation in enumerate(forward.equations):
        for position, column in _places(forward, equation):
            atom = equation.invars[position]
            axes = atom.aval.shape if column is None else atom.aval.shape[:-1]
            whole = not isinstance(atom, Literal) and kind_of(atom.aval.dtype) in ("i", "u")
            if whole and len(axes) == 2 and max(axes) >= _FEWEST:
                found.append(Lookup((number, position), atom, column))
    return found


def _places(forward: Forward, equation: Any) -> Iterator[tuple[int, int | None]]:
    """Yield which operands may hold tokens, and in which column of their last axis."""
    name = equation.primitive.name
    if name == "gather":
        columns = _rows_taken(equation)
        if forward.is_trained(equation.invars[0]) and len(columns) == 1:
            yield 1, columns[0]
    elif name == "eq":
        for position, atom in enumerate(equation.invars):
            other = forward.maker(source(forward, equation.invars[1 - position], SHAPES | CASTS))
            iota = other is not None and other.primitive.name == "iota"
            if iota and atom.aval.shape[2:] == (1,):
                yield position, 0
    elif name == "scan" and any(map(forward.is_trained, equation.invars)):
        first = equation.params["num_consts"] + equation.params["num_carry"]
        yield from ((position, None) for position in range(first, len(equation.invars)))


def _rows_taken(equation: Any) -> list[int]:
    """Return the columns of the indices that choose: along an axis that is taken whole, none does.

    Under ``vmap``, an index of a row comes with the place in the row from which it is taken: 0.
    """
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    table = equation.invars[0].aval.shape
    choosing = [n for n, axis in enumerate(numbers.start_index_map) if sizes[axis] < table[axis]]
    return [] if numbers.operand_batching_dims else choosing


_CLASSES = "cross_entropy"
_WORDS = {
    "cross_entropy": "softmax_cross_entropy",
    "binary_cross_entropy_with_logits": "sigmoid_binary_cross_entropy",
    "nll_loss": "the negative log-likelihood",
    "log_softmax": "jax.nn.log_softmax",
}


def _call(
    number: int,
    function: str,
    arguments: Mapping[str, Argument],
    options: Mapping[str, Any],
    place: SourceLine,
) -> LossCall:
    """Return a call of a loss, which no library of JAX lets ignore a label."""
    return LossCall(number, 0, function, arguments, options, place, _WORDS, ignores=False)


class JaxLossProbe(LossProbe, LeakSearch):
    """Reads the losses of a run's next step off its jaxpr; it is a ``LossProbe``.

    Parameters
    ----------
    stepper
        Takes the steps.
    """

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper
        self._forward: Forward = stepper.traced.losses_of(stepper.manner)

    @contextmanager
    def observed(self) -> Iterator[Observed]:
        """Collect facts about losses, pairs and tokens of the next step."""
        with jax.enable_x64(True):
            found = Observed(
                losses=list(self._losses()),
                pairs=[
                    s.pair(self._forward, n, self._value(s.data)) for n, s in enumerate(self._pairs)
                ],
                tokens=[
                    Tokens(number, 0, lookup.tokens_in(self._value(lookup.atom)))
                    for number, lookup in enumerate(self._lookups)
                ],
            )
            found.padded += self._padded(found.tokens)
        yield found

    @contextmanager
    def rolled(self, pair: Pair) -> Iterator[None]:
        """Move each entry of the data of a pair to the next sample, in this operation alone."""
        site = self._pairs[pair.number]
        with jax.enable_x64(True):
            other = jnp.roll(jnp.asarray(self._value(site.data)), 1, site.axis)
            losses = self._values(self._forward.losses, {site.operand: other})
        names = self._stepper.traced.losses
        self._stepper.instead = dict(zip(names, losses, strict=True))
        try:
            yield
        finally:
            self._stepper.instead = None

    @contextmanager
    def outputs(self, tokens: Tokens) -> Iterator[dict[int, Array]]:
        """Look these tokens up instead; collect what losses of classes are given, as rows."""
        numbers = [n for n, site in enumerate(self._sites) if site.function == _CLASSES]
        with jax.enable_x64(True):
            wanted = [self._sites[n].scores for n in numbers]
            found = self._values(wanted, self._with(tokens))
        axes = [self._sites[n].axis for n in numbers]
        yield {n: _rows(value, axis) for n, value, axis in zip(numbers, found, axes, strict=True)}

    @contextmanager
    def padded(self, given: Padded, tokens: Array) -> Iterator[dict[int, Array]]:
        """Let a lookup find other tokens; collect what ``outputs`` collects."""
        with self.outputs(Tokens(given.call, 0, tokens)) as found:
            yield found

    @contextmanager
    def counted(self, loss: LossCall) -> Iterator[list[Array]]:
        """Collect which rows of the input of a loss of classes get a gradient from it."""
        site = self._sites[loss.number]
        with jax.enable_x64(True):
            counts = self._counts(site, site.axis or 0)
        yield [] if counts is None else [counts.ravel()]

    @contextmanager
    def positions(self, tokens: Tokens) -> Iterator[list[tuple[Moved, Any, Any]]]:  # noqa: ARG002
        """Collect nothing: ``leak`` looks at single operations."""
        yield []

    def leak(
        self, loss: LossCall, texts: tuple[Tokens, Tokens], cut: int, axis: int
    ) -> Moved | None:
        """Return the operation that first mixes later tokens into the input of a loss.

        The two texts differ from a place on, which is counted along an axis of theirs.
        """
        site = self._sites[loss.number]
        with jax.enable_x64(True):
            plain, other = (
                self._forward.evaluated(self._inputs, self._with(text)) for text in texts
            )
        shape = texts[0].array.shape
        text = (shape[1 - axis], shape[axis])
        equation = BackwardSearch(self._forward, plain, other, text, cut).behind(site.scores)
        if equation is None:
            return None
        path = _module_of(equation)
        kind = path.rpartition(".")[2].rpartition("_")[0] or equation.primitive.name
        return Moved(path, kind, place_of(equation))

    def _padded(self, looked_up: Sequence[Tokens]) -> Iterator[Padded]:
        """Yield the tokens that are looked up and that are known as padding."""
        for tokens in looked_up:
            found = next(self._padding_of(tokens.array, self._lookups[tokens.call].atom), None)
            if found is not None:
                yield Padded(tokens.call, tokens.array, *found)

    def _padding_of(self, tokens: Array, atom: Any) -> Iterator[tuple[Array, str]]:
        """Yield which tokens are padding, and how that is known, the surest first.

        A mask that is made of other tokens, or lengths that may be theirs, say nothing of these.
        """
        if not may_be_filled(tokens):
            return
        named = self._hidden_by_name(tokens)
        if named is not None and named[1] == "mask":
            yield named
        behind = self._forward.inputs_behind
        others = set[Any]().union(*(behind(each.atom) for each in self._lookups)) - behind(atom)
        outputs = [site.scores for site in self._sites if site.axis is not None]
        own = [
            mask
            for mask in masks(self._forward, outputs, tokens.shape)
            if others.isdisjoint(behind(mask.atom))
        ]
        values = self._values([mask.atom for mask in own], {}) if own else []
        for mask, value in zip(own, values, strict=True):
            if (padding := mask.padding(tokens, value)) is not None:
                yield padding, "step"
        first = len(self._stepper.leaves.values)
        for given in () if others else lengths(self._forward, self._inputs, first):
            if (padding := padding_by_lengths(tokens, given)) is not None:
                yield padding, "lengths"
        if named is not None:
            yield named
        if (padding := padding_by_places(tokens)) is not None:
            yield padding, "ends"

    def _hidden_by_name(self, tokens: Array) -> tuple[Array, str] | None:
        """Return the tokens that a mask hides which the batch has by name."""
        stepper, program = self._stepper, self._stepper.program
        if program.made.batch is None or program.by_number:
            return None
        given = program.given(stepper.taken)
        texts = texts_in(given)
        if isinstance(texts, str):
            return None
        hidden = padding_by_mask(tokens, texts.texts.visible.astype(int))
        number = len(stepper.leaves.values) + place_among_arrays(given, texts.mask)
        known_by = "mask" if self._forward.reads(number) else "filled"
        return None if hidden is None else (hidden, known_by)

    @cached_property
    def _sites(self) -> list[Site]:
        return sites(self._forward)

    @cached_property
    def _goals(self) -> list[Goal]:
        traced = self._stepper.traced
        flat = traced.flat(self._stepper.manner)
        gradients = [flat.variables[name] for name in traced.gradients]
        return [*goals(self._forward, flat.graph, gradients)]

    @cached_property
    def _pairs(self) -> list[PairSite]:
        return pairs(self._forward)

    @cached_property
    def _lookups(self) -> list[Lookup]:
        return lookups(self._forward)

    @cached_property
    def _inputs(self) -> list[Any]:
        stepper = self._stepper
        return [*stepper.leaves.values, *stepper.inputs()]

    @cached_property
    def _known(self) -> dict[Any, Any]:
        """The values that facts are read off, without any other text."""
        wanted = [site.data for site in self._pairs]
        wanted += [lookup.atom for lookup in self._lookups]
        wanted += [atom for found in self._goals for atom in (found.output, found.goal)]
        for site in self._sites:
            wanted += [site.scores, *([] if site.target is None else [site.target])]
            for choice in site.choices:
                wanted += self._forward.equations[choice.equation].invars
        own = [*dict.fromkeys(atom for atom in wanted if not hasattr(atom, "val"))]
        return dict(zip(own, self._forward.values(own, self._inputs), strict=True))

    def _value(self, atom: Any) -> Any:
        return atom.val if hasattr(atom, "val") else self._known[atom]

    def _values(self, wanted: Sequence[Any], replaced: Mapping[Operand, Any]) -> list[Any]:
        return self._forward.values(wanted, self._inputs, replaced)

    def _with(self, tokens: Tokens) -> dict[Operand, Any]:
        """Return what a lookup of these tokens is given."""
        lookup = self._lookups[tokens.call]
        like = self._forward.values([lookup.atom], self._inputs)[0]
        return {lookup.operand: jnp.asarray(lookup.holding(tokens.array, like))}

    def _losses(self) -> Iterator[LossCall]:
        for number, site in enumerate(self._sites):
            arguments = {"input": self._argument(site.scores)}
            options: dict[str, Any] = {}
            place = place_of(self._forward.equations[site.equation])
            if site.axis is None:
                arguments["target"] = self._argument(site.target)
            elif arguments["input"].log_probabilities - {site.axis}:
                continue  # rows and columns are normalised in turn, as for optimal transport
            elif (target := self._labels(site, site.axis)) is not None:
                arguments["target"] = Argument.of(target)
                options = {"ignore_index": IGNORED, "axis": site.axis}
            else:
                yield from self._along_another_axis(number, site, place)
                continue
            yield _call(number, site.function, arguments, options, place)
        for number, found in enumerate(self._goals, len(self._sites)):
            arguments = {
                "input": self._argument(found.output),
                "target": self._argument(found.goal),
            }
            call = _call(number, found.function, arguments, {}, place_of(found.equation))
            yield replace(call, bootstrapped="target")

    def _along_another_axis(self, number: int, site: Site, place: SourceLine) -> Iterator[LossCall]:
        """Yield a loss whose labels choose along another axis than the softmax runs over.

        Labels that match rows and columns of a matrix of pairs are left out: each has one of its
        own. So are scores that are normalised more than once.
        """
        if self._argument(site.scores).log_probabilities:
            return
        for choice in site.choices:
            scores = self._forward.equations[choice.equation].invars[choice.position]
            for axis in range(len(site.scores.aval.shape)):
                labels = None if axis == site.axis else self._labels(site, axis)
                if (
                    labels is None
                    or labels.dtype.kind == "f"
                    or _matches(labels, scores.aval.shape)
                ):
                    continue
                given = self._as_logarithms(scores)
                if given.log_probabilities:
                    arguments = {"input": given, "target": Argument.of(labels)}
                    yield _call(number, "nll_loss", arguments, {"axis": axis}, place)
                    return

    def _as_logarithms(self, atom: Any) -> Argument:
        """Return facts about logarithms of chances, which a loss may take after the choice."""
        given = self._argument(atom)
        if not given.probabilities:
            return given
        with np.errstate(divide="ignore"):
            logarithms = np.log(np.asarray(self._value(atom)))
        return Argument.of(logarithms, trained=given.trained, makers=given.makers)

    def _argument(self, atom: Any) -> Argument:
        array = np.asarray(self._value(atom))
        trained = self._forward.is_trained(atom)
        return Argument.of(array, trained=trained, makers=makers(self._forward, atom))

    def _labels(self, site: Site, axis: int) -> Array | None:
        """Return the labels of a loss of classes; those of rows that do not count are ignored."""
        found = None
        for choice in site.choices:
            equation = self._forward.equations[choice.equation]
            args = [jnp.asarray(self._value(atom)) for atom in equation.invars]
            if args[choice.position].shape != site.scores.aval.shape:
                continue
            found = chosen_by(equation, args, choice.position, axis)
            if found is not None:
                break
        if found is None or found.dtype.kind == "f":
            return found
        counts = self._counts(site, axis)
        return found if counts is None else np.where(counts, found, IGNORED)

    def _counts(self, site: Site, axis: int) -> Array | None:
        """Return which rows of the scores a loss depends on."""
        scores = jnp.asarray(self._value(site.scores))

        def loss(scores: Any) -> Any:
            given = dict.fromkeys(site.reads, scores)
            return sum(jnp.sum(v) for v in self._values(self._forward.losses, given))

        try:
            gradient = np.asarray(quickly(jax.grad(loss))(scores))
        except Exception:  # of what cannot be differentiated once more
            return None
        return (gradient != 0).any(axis)  # type: ignore[no-any-return]


def _module_of(equation: Any) -> str:
    """Return the path of the module around an operation, if its library opens scopes for them."""
    first, *scopes = str(equation.source_info.name_stack).split("/")
    inner = takewhile(str.isidentifier, scopes) if first.startswith("jvp(") else ()
    return ".".join(name for name, _ in groupby(inner))


def _matches(labels: Array, shape: tuple[int, ...]) -> bool:
    """Return whether labels give each row of a square of pairs a column of its own."""
    return {*shape} == {labels.size} and np.unique(labels).size == labels.size


def _rows(scores: Any, axis: int | None) -> Array:
    """Return scores of classes as rows: samples and positions, as they come."""
    array = np.moveaxis(np.asarray(scores, np.float64), axis or 0, -1)
    return array.reshape(-1, array.shape[-1])
