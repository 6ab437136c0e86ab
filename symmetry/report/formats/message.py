"""The texts of problems and notes, as all formats give them."""

from collections.abc import Iterator

from symmetry.checker.verdict import Checked
from symmetry.law.note import Note
from symmetry.report.answers.problems import Problem


def title(checked: Checked, problem: Problem) -> str:
    """Return the target and the violated invariants."""
    return f"{checked.target}: {', '.join(problem.invariants)}"


def message(problem: Problem) -> str:
    """Return a problem as one message; the format shows its line, unless it is the subject."""
    text = problem.sentence if problem.continues else problem.text
    lines = [text, problem.certainty, problem.repeat and f"repeat: {problem.repeat}"]
    return "\n".join(filter(None, lines))


def notes(checked: Checked) -> Iterator[Note]:
    """Yield the notes that are no problems."""
    return (note for note in checked.notes if note not in checked.gating)
