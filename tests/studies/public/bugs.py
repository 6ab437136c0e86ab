"""Bugs that are put into strangers' scripts: how an answer is counted."""

from __future__ import annotations

from tests.studies.public.rows import Row, names

OUTCOMES = ("caught", "told", "silent", "not checked")


def outcome(row: Row, without: Row) -> str:
    """Say whether a check saw a bug, by its row and by that of the script without the bug.

    *caught*: the check fails, and did not without the bug, or by another invariant. *told*: there
    is a note that was not there. *not checked*: there is no verdict. Otherwise it is silent.
    """
    if row["exit"] not in (0, 1):
        return "not checked"
    new = {*names(row)} - {*names(without)}
    if row["exit"] == 1 and (new or without["exit"] != 1):
        return "caught"
    return "told" if {*row["notes"]} - {*without["notes"]} else "silent"
