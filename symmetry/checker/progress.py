"""The progress of a check while it runs. Nothing heavy is imported for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symmetry.checker.verdict import Checked, Verdict
    from symmetry.law.case import Case


class Progress:
    """Listens to a check while it runs; does nothing by itself.

    A subclass shows the progress: each method is called as the check goes on, and returns nothing.
    All arguments can be pickled.

    Examples
    --------
    >>> class Shown(Progress):
    ...     def verdict(self, verdict):
    ...         print(verdict.invariant, verdict.kind)
    >>> from symmetry import check
    >>> _ = check("numba", only="symmetry/pure", dtype="float32", examples=5, progress=Shown())
    symmetry/pure holds
    """

    def begin(self, heading: tuple[str, ...]) -> None:
        """Say what is about to be checked, in lines."""

    def planned(self, record: Checked) -> None:
        """Say which verdicts are to come: each of the record's says that it was not run."""

    def case(
        self, invariant: str, dtype: str, number: int, cases: int, case: Case | None = None
    ) -> None:
        """Say that a case is about to be run: its number, from 0, and how many there are."""

    def failed(self, message: str) -> None:
        """Say at once that a training does not work: it may have other ranks that wait for it."""

    def examined(self, verdict: Verdict) -> None:
        """Say what was found, before it is known whether a failure was expected."""

    def verdict(self, verdict: Verdict) -> None:
        """Report the verdict on one invariant in one dtype."""
