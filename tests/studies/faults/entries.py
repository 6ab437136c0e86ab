"""The entries of the zoo by name, and what measures one: processes of their own can import it."""

from __future__ import annotations

from tests.studies.faults import steps, trainings
from tests.studies.faults.rows import Row


def names(*, of_steps: bool) -> list[str]:
    """Return the names of the trainings, and of the steps if they are asked for."""
    return [*trainings.measures(), *(steps.measures() if of_steps else ())]


def measure(name: str) -> Row:
    """Return the row of an entry."""
    return (trainings.measures() | steps.measures())[name]()
