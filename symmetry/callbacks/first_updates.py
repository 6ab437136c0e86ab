"""The first updates of a real run, each checked in copies, with a report for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from symmetry.api import check_model
from symmetry.base.errors import FOUND, SymmetryError
from symmetry.base.raised import in_one_line
from symmetry.checker.options import Keywords, Options


class FirstUpdates:
    """Checks updates, as long as some of the first ones are to come.

    A callback of a trainer has one. Whatever a check raises, the run goes on.

    Parameters
    ----------
    updates
        How many are checked.
    stop
        Whether a run ends if a check does not pass.
    options
        Those of the checks.
    """

    def __init__(self, updates: int, stop: bool, options: Keywords) -> None:
        Options(**options)  # a mistake in them shows before the run begins
        self._updates, self._stop, self._options = updates, stop, options
        self._checked = 0

    @property
    def is_next(self) -> bool:
        """Whether the next update is checked."""
        return self._checked < self._updates

    def check(
        self,
        folder: Path,
        model: Any,
        batch: Any,
        loss: Callable[[Any, Any], Any] | None,
        optimizer: Any,
    ) -> bool:
        """Check an update, and write its report into a folder; return whether the run has to end.

        The arguments are those of ``check_model``.
        """
        self._checked += 1
        file = folder / f"symmetry-{self._checked}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            report = check_model(model, batch, loss, optimizer, **self._options)
        except SymmetryError as error:
            file.write_text(f"not checked: {error}\n")
            return False
        except Exception as error:
            file.write_text(f"not checked: an error of symmetry itself: {in_one_line(error)}\n")
            return False
        file.write_text(f"{report!r}\n")
        file.with_suffix(".json").write_text(report.to_json())
        return self._stop and report.status == FOUND
