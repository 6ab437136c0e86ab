"""Comparing families of trainings: the same with all arguments, or the smallest that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symmetry.base.errors import SymmetryError
from symmetry.checker.options import SETS
from symmetry.comparison.options import ComparisonOptions
from symmetry.comparison.outcome import Compared, ComparedTraining
from symmetry.comparison.trainings import compare_trainings
from symmetry.targets.sizes.arguments import Arguments, spell
from symmetry.targets.sizes.family import Family
from symmetry.targets.sizes.shrink import StepBudget, contrast, shrink
from symmetry.units.words import count


def compare_families(
    first: Family, others: Sequence[Family], options: ComparisonOptions
) -> Compared:
    """Compare families with the first one; the arguments are drawn from the first's strategies.

    Raises
    ------
    SymmetryError
        If another has other arguments, or the first runs with none of those that were drawn.
    """
    for other in others:
        if {*other.strategies} != {*first.strategies}:
            mine, theirs = ", ".join(first.strategies), ", ".join(other.strategies)
            raise SymmetryError(
                f"{first.name} draws {mine or 'nothing'} and {other.name} {theirs or 'nothing'}: "
                "both need the same arguments"
            )
    return Compared(
        first.name, tuple(_FamilyPair(first, other, options).compared() for other in others)
    )


class _FamilyPair:
    """A family, and the one that it is compared with."""

    def __init__(self, first: Family, other: Family, options: ComparisonOptions) -> None:
        self._first, self._other, self._options = first, other, options
        self._space = first.space(options.seed)
        self._results: dict[
            str, ComparedTraining | str
        ] = {}  # by arguments; or why they are not compared

    def compared(self) -> ComparedTraining:
        """Compare with all examples, up to the first that differs."""
        examples = self._space.examples(self._options.examples or SETS)
        for arguments in examples:
            if (found := self._differs(arguments)) is not None:
                return self._smallest(arguments, found)
        results = [self._result(arguments) for arguments in examples]
        judged = [each for each in results if isinstance(each, ComparedTraining)]
        if not judged:
            raise SymmetryError(f"no drawn size was compared: {results[0]}")
        tried = [
            a
            for a, each in zip(examples, results, strict=True)
            if isinstance(each, ComparedTraining)
        ]
        spans = ", ".join(self._space.spans(tried))
        notes = [f"compared at {count(len(tried), 'drawn size')}: {spans}"]
        if failed := [each for each in results if isinstance(each, str)]:
            notes.append(f"{count(len(failed), 'drawn size')} not compared: {failed[0]}")
        worst = max(
            judged, key=lambda other: max((r.ratio or 0.0 for r in other.results), default=0)
        )
        unjudged = next((each for each in judged if each.same is None), worst)
        same = unjudged if all(each.same is None for each in judged) else worst
        return replace(same, name=self._other.name, notes=(*same.notes, *notes))

    def _smallest(self, arguments: Arguments, found: ComparedTraining) -> ComparedTraining:
        budget = StepBudget()
        arguments, found = shrink(self._space, arguments, found, self._differs, budget)
        pair = contrast(self._space, arguments, self._same, budget, {})
        where = "differs at {}, not at {}; ".format(*pair) if pair else ""
        note = f"{where}smallest arguments: {spell(arguments)}"
        name = self._other.name
        return replace(found, name=name, notes=(note, *found.notes), arguments=spell(arguments))

    def _differs(self, arguments: Arguments) -> ComparedTraining | None:
        result = self._result(arguments)
        return result if isinstance(result, ComparedTraining) and result.same is False else None

    def _same(self, arguments: Arguments) -> bool:
        result = self._result(arguments)
        return isinstance(result, ComparedTraining) and bool(result.same)

    def _result(self, arguments: Arguments) -> ComparedTraining | str:
        """Return the comparison with some arguments; if the first does not run with them, why."""
        line = spell(arguments)
        if line not in self._results:
            first, other = self._first.member(arguments), self._other.member(arguments)
            try:
                self._results[line] = compare_trainings(
                    first.side, [other.side], self._options
                ).others[0]
            except SymmetryError as error:
                self._results[line] = f"{error} ({line})"
            finally:
                first.close()
                other.close()
        return self._results[line]
