"""A pure loss against itself: its samples in another order, more padding, and micro-batches.

from symmetry import check_loss

def test_token_mean():
    check_loss(token_mean, {"losses": torch.randn(4, 6), "mask": mask}, split="mean")

Hypothesis draws which samples there are and which of their tokens count, and shrinks what fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from hypothesis import HealthCheck, Phase, Verbosity, find, reject, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample, Unsatisfiable
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from symmetry.base.errors import SymmetryError
from symmetry.units.words import a_kind, count

Batch = dict[str, Any]
Split = Literal["mean", "sum"] | Callable[[Sequence[Batch], Batch], Any]

EXAMPLES = 25  # cases of each relation
EPS = 1000  # times the eps of the coarsest dtype is the deviation that counts, relatively
LARGEST = 0.05  # but no more than this
_IGNORED = -100  # a label that PyTorch's losses leave out
_MORE = 3  # columns of padding, at most


def check_loss(
    function: Callable[..., Any],
    batch: Mapping[str, Any],
    *,
    split: Split | None = None,
    padding: Mapping[str, float] | None = None,
) -> None:
    """Check that a pure loss does not depend on what must not matter to it.

    The value of the loss, and its gradients with respect to floating-point tensors of the batch,
    must stay as they are, up to rounding: with the samples in another order; with more tokens that
    do not count; and, with a ``split``, as micro-batches of equal sizes. Cases are made of rows of
    the batch: some of its samples, each with some of its tokens.

    Parameters
    ----------
    function
        It is called with the batch as keywords, and returns a scalar tensor, alone or as the first
        of a tuple.
    batch
        Tensors by name. Their first axis are samples, of which there are at least two; the second
        axis of those that have one are tokens. Scalars are given as they are.
    split
        How an update puts the losses of micro-batches together: their ``"mean"`` or their
        ``"sum"``, or a function of the list of micro-batches and the whole batch that returns the
        loss, as ``lambda parts, whole: sum(loss(**part, items=whole["mask"].sum()) for part in
        parts)``. None checks no micro-batches.
    padding
        Which tensors say that a token does not count, with the value that says so. By default those
        with ``mask`` in their names, with 0, and ``labels``, with -100.

    Raises
    ------
    AssertionError
        If a relation does not hold: its text says which one, by how much, and the smallest case.
    SymmetryError
        If the batch or the loss is of another kind, or nothing finite can be compared.

    Examples
    --------
    >>> import torch
    >>> losses, mask = torch.rand(4, 6), torch.ones(4, 6)
    >>> def loss(losses, mask):
    ...     return (losses * mask).sum() / mask.sum()
    >>> check_loss(loss, {"losses": losses, "mask": mask})
    >>> check_loss(loss, {"losses": losses, "mask": mask}, split="mean")
    Traceback (most recent call last):
    AssertionError: micro-batches give another loss than their batch: ...
    """
    rows = Rows(batch, padding)
    loss = _Loss(function, rows)
    relations: list[Relation] = [_Order()]
    if rows.tokens:
        relations.append(_Padding())
    if split is not None:
        relations.append(_Parts(split))
    for relation in relations:
        failing = _smallest(partial(loss.differs, relation), relation, rows)
        if failing is not None:
            raise AssertionError(loss.described(relation, failing))


@dataclass(frozen=True)
class Case:
    """A batch that is made of rows of another one, and what is done with it."""

    samples: tuple[int, ...]  # their rows
    counted: tuple[tuple[int, int], ...]  # the first token of each that counts, and behind the last
    order: tuple[int, ...] = ()  # of these samples
    more: int = 0  # columns of padding
    size: int = 0  # of a micro-batch

    def words(self, tokens: int) -> str:
        """Return the samples in words, and their tokens, if there are some."""
        found = f"{count(len(self.samples), 'sample')} (rows {_listed(self.samples)})"
        if not tokens:
            return found
        spans = _listed(f"{a} to {b - 1}" if b - a > 1 else a for a, b in self.counted)
        return f"{found} of {count(self.width, 'token')}, of which {spans} count"

    @property
    def width(self) -> int:
        """How many tokens each sample has, with padding."""
        return max(end for _, end in self.counted)


class Rows:
    """The rows of a batch, of which cases are made.

    Attributes
    ----------
    samples, tokens
        How many there are; no tokens if nothing says which of them count.
    shortest
        How many tokens count in a sample, at least.
    prompts
        Whether tokens before those that count do not count either, in some row.
    leaves
        The floating-point tensors whose gradients are compared, by name.
    """

    def __init__(self, batch: Mapping[str, Any], padding: Mapping[str, float] | None) -> None:
        if not isinstance(batch, Mapping):
            raise SymmetryError(f"the batch must be a mapping of tensors, not {a_kind(batch)}")
        self._batch = {
            name: value.detach().clone() if isinstance(value, Tensor) else value
            for name, value in batch.items()
        }
        tensors = {n: v for n, v in self._batch.items() if isinstance(v, Tensor) and v.dim()}
        lengths = {len(value) for value in tensors.values()}
        if len(lengths) != 1 or (samples := lengths.pop()) < 2:
            raise SymmetryError(
                "the tensors of the batch must have the same first axis, of at least two samples; "
                f"they are {', '.join(f'{n} {tuple(v.shape)}' for n, v in tensors.items())}"
            )
        self.samples, self._tensors = samples, tensors
        self._padding = _padding(tensors) if padding is None else dict(padding)
        for name in self._padding:
            if name not in tensors or tensors[name].dim() != 2:
                raise SymmetryError(f"padding: the batch has no {name!r} of (samples, tokens)")
        self.tokens, self.shortest = next((tensors[n].shape[1] for n in self._padding), 0), 1
        self.prompts = any(
            bool((tensors[name][:, 0] == hidden).any())
            for name, hidden in self._padding.items()
            if not _attends(name)
        )
        self.leaves = {
            name: value.requires_grad_()
            for name, value in tensors.items()
            if value.is_floating_point() and name not in self._padding
        }

    def case(self, draw: st.DrawFn) -> Case:
        """Draw a case that nothing is done with yet."""
        number = draw(st.integers(2, self.samples))
        samples = draw(st.permutations(range(self.samples)))[:number]
        return Case(tuple(samples), tuple(self._span(draw) for _ in samples))

    def _span(self, draw: st.DrawFn) -> tuple[int, int]:
        """Draw the first token that counts, and that behind the last one."""
        end = draw(st.integers(self.shortest, self.tokens)) if self.tokens else 0
        return draw(st.integers(0, end - self.shortest)) if self.prompts else 0, end

    def batch(self, case: Case) -> Batch:
        """Return the batch of a case, in its order and with its padding."""
        order = list(case.order or range(len(case.samples)))
        spans = [case.counted[i] for i in order]
        return {
            name: self._entry(name, value, [case.samples[i] for i in order], spans, case)
            if name in self._tensors
            else value
            for name, value in self._batch.items()
        }

    def _entry(
        self,
        name: str,
        value: Tensor,
        samples: list[int],
        spans: list[tuple[int, int]],
        case: Case,
    ) -> Tensor:
        chosen = value[samples]
        if not self.tokens or value.dim() < 2 or value.shape[1] != self.tokens:
            return chosen
        columns = torch.arange(case.width + case.more)
        chosen = chosen[:, torch.where(columns < case.width, columns, columns % case.width)]
        if name not in self._padding:
            return chosen
        hidden = self._padding[name]
        first, end = (torch.tensor(each)[:, None] for each in zip(*spans, strict=True))
        counts = (columns >= (0 if _attends(name) else first)) & (columns < end)
        usual = value[value != hidden].flatten()[:1]
        shown = torch.where(chosen == hidden, usual.to(value.dtype), chosen)
        return torch.where(counts, shown, torch.full_like(chosen, hidden))


def _padding(tensors: Mapping[str, Tensor]) -> dict[str, float]:
    """Return which tensors say that a token does not count, and the value that says so."""
    planes = [name for name, value in tensors.items() if value.dim() == 2]
    masks = {name: 0.0 for name in planes if "mask" in name}
    return masks | {name: float(_IGNORED) for name in planes if name == "labels"}


def _attends(name: str) -> bool:
    """Return whether a mask only hides padding: it shows the prompt, too."""
    return "attention" in name


class _Coarsest(TorchDispatchMode):
    """Sees in which dtype with the largest eps anything is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.eps = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.is_floating_point():
            self.eps = max(self.eps, torch.finfo(result.dtype).eps)
        return result


@dataclass(frozen=True)
class Value:
    """A loss, and its gradients by name."""

    loss: Tensor
    gradients: Mapping[str, Tensor]
    terms: float  # the size of the terms that it is a sum of

    def difference(self, other: Value) -> tuple[str, float]:
        """Return the name of the gradient that differs most, relatively; the loss has none."""
        found = [("", _apart(self.loss, other.loss, max(self.terms, other.terms)))]
        for name, gradient in self.gradients.items():
            size = float(gradient.abs().max())
            found.append((name, _apart(gradient, other.gradients[name], size)))
        return max(found, key=lambda each: each[1])


def _apart(one: Tensor, other: Tensor, size: float) -> float:
    """Return the largest difference by a size; infinite if it is no number."""
    difference = float((one - other).abs().max())
    if difference != difference:
        return float("inf")
    return 0.0 if difference == 0 else difference / size if size else float("inf")


class Relation:
    """A change of a case that must not change its loss."""

    text = ""  # what the loss depends on if the relation does not hold

    def draw(self, draw: st.DrawFn, case: Case) -> Case:
        """Return a case with this change."""
        raise NotImplementedError

    def loss(self, call: Callable[[Batch], Tensor], rows: Rows, case: Case) -> Tensor:
        """Return the loss with the change."""
        return call(rows.batch(case))

    def words(self, case: Case) -> str:
        """Return the change in words."""
        raise NotImplementedError


class _Order(Relation):
    text = "the loss depends on the order of the samples"

    def draw(self, draw: st.DrawFn, case: Case) -> Case:
        return replace(case, order=tuple(draw(st.permutations(range(len(case.samples))))))

    def words(self, case: Case) -> str:
        return f"in the order {_listed(case.samples[i] for i in case.order)}"


class _Padding(Relation):
    text = "the loss depends on tokens that do not count"

    def draw(self, draw: st.DrawFn, case: Case) -> Case:
        return replace(case, more=draw(st.integers(1, _MORE)))

    def words(self, case: Case) -> str:
        return f"with {count(case.more, 'column')} of padding more"


class _Parts(Relation):
    text = "micro-batches give another loss than their batch"

    def __init__(self, split: Split) -> None:
        if not (callable(split) or split in ("mean", "sum")):
            raise SymmetryError(f"split must be 'mean', 'sum' or a function, not {split!r}")
        self._split = split

    def draw(self, draw: st.DrawFn, case: Case) -> Case:
        number = len(case.samples)
        sizes = [size for size in range(1, number) if number % size == 0]
        return replace(case, size=draw(st.sampled_from(sizes)))

    def loss(self, call: Callable[[Batch], Tensor], rows: Rows, case: Case) -> Tensor:
        whole = rows.batch(case)
        parts = [
            {
                name: value[i : i + case.size]
                if isinstance(value, Tensor) and value.dim()
                else value
                for name, value in whole.items()
            }
            for i in range(0, len(case.samples), case.size)
        ]
        if callable(self._split):
            return _scalar(self._split(parts, whole), "split(parts, whole)")
        losses = torch.stack([call(part) for part in parts])
        return losses.mean() if self._split == "mean" else losses.sum()

    def words(self, case: Case) -> str:
        return f"as micro-batches of {count(case.size, 'sample')}"


class _Loss:
    """The loss of cases, as it is and under a relation."""

    def __init__(self, function: Callable[..., Any], rows: Rows) -> None:
        self._function, self._rows = function, rows
        self._alone: dict[tuple[int, tuple[int, int]], bool] = {}  # whether it is finite
        whole = Case((*range(rows.samples),), ((0, rows.tokens),) * rows.samples)
        with _Coarsest() as coarsest:
            self._call(rows.batch(whole))
        self._tolerance = min(EPS * coarsest.eps, LARGEST)
        lengths = range(1, rows.tokens + 1)  # a loss that shifts labels leaves the first one out
        rows.shortest = next(filter(self._is_enough, lengths), 1)

    def _is_enough(self, length: int) -> bool:
        """Return whether each sample has a finite loss if its first tokens count."""
        return all(self._finite_alone(row, (0, length)) for row in range(self._rows.samples))

    def differs(self, relation: Relation, case: Case) -> bool:
        """Return whether a relation fails in a case; cases without finite numbers are left out."""
        compared = self._compared(relation, case)
        if compared is None:
            reject()
        return bool(compared[2][1] > self._tolerance)

    def described(self, relation: Relation, case: Case) -> str:
        """Return which relation does not hold in a case, and by how much."""
        compared = self._compared(relation, case)
        assert compared is not None
        usual, changed, (name, difference) = compared
        what = f"its gradient by {name}" if name else "it"
        return (
            f"{relation.text}: {relation.words(case)} it is {changed.loss.item():.6g}, not "
            f"{usual.loss.item():.6g}; {what} differs by {difference:.2g} of its size, and "
            f"rounding explains {self._tolerance:.1g}\n"
            f"  smallest case: {case.words(self._rows.tokens)}"
        )

    def _compared(
        self, relation: Relation, case: Case
    ) -> tuple[Value, Value, tuple[str, float]] | None:
        plain = replace(case, order=(), more=0)
        usual = self._value(lambda: self._call(self._rows.batch(plain)))
        if not self._is_finite(plain, usual):
            return None
        changed = self._value(lambda: relation.loss(self._call, self._rows, case))
        return usual, changed, usual.difference(changed)

    def _is_finite(self, case: Case, usual: Value) -> bool:
        """Return whether a batch has a finite loss and gradients, and its samples finite losses."""
        alone = zip(case.samples, case.counted, strict=True)
        numbers = (usual.loss, *usual.gradients.values())
        finite = all(bool(number.isfinite().all()) for number in numbers)
        return finite and all(self._finite_alone(*each) for each in alone)

    def _finite_alone(self, sample: int, span: tuple[int, int]) -> bool:
        if (sample, span) not in self._alone:
            with torch.no_grad():
                loss = self._call(self._rows.batch(Case((sample,), (span,))))
            self._alone[sample, span] = bool(loss.isfinite())
        return self._alone[sample, span]

    def _call(self, batch: Batch) -> Tensor:
        return _scalar(self._function(**batch), "the loss")

    def _value(self, compute: Callable[[], Tensor]) -> Value:
        leaves = self._rows.leaves
        with torch.enable_grad():
            loss = compute()
            gradients: Sequence[Tensor] = ()
            if loss.requires_grad:
                gradients = torch.autograd.grad(
                    loss, [*leaves.values()], allow_unused=True, materialize_grads=True
                )
        named = dict(zip(leaves, gradients, strict=False))
        terms = sum(float((leaves[n].detach() * g).abs().sum()) for n, g in named.items())
        loss = loss.detach()
        size = abs(float(loss)) + terms
        return Value(loss, named, size)


def _scalar(returned: Any, what: str) -> Tensor:
    """Return a loss: a scalar tensor, alone or as the first of a tuple."""
    loss = returned[0] if isinstance(returned, tuple) and returned else returned
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        shape = f" of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else ""
        raise SymmetryError(f"{what} must be a scalar tensor, not {a_kind(loss)}{shape}")
    return loss.reshape(())


def _smallest(fails: Callable[[Case], bool], relation: Relation, rows: Rows) -> Case | None:
    """Return the smallest case that fails; None if none does.

    Raises
    ------
    SymmetryError
        If no case has finite numbers.
    """

    @st.composite
    def cases(draw: st.DrawFn) -> Case:
        return relation.draw(draw, rows.case(draw))

    quiet = settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[*HealthCheck],
        phases=(Phase.generate, Phase.shrink),
        verbosity=Verbosity.quiet,
    )
    try:
        return find(cases(), fails, settings=quiet)
    except NoSuchExample:
        return None
    except Unsatisfiable:
        raise SymmetryError(
            "the loss or its gradients are not finite in any case: nothing can be compared"
        ) from None


def _listed(things: Any) -> str:
    return ", ".join(map(str, things))
