"""The whole check of a target whose process has ended early."""

from __future__ import annotations

from dataclasses import replace

from symmetry.checker.ignored import Ignored
from symmetry.checker.verdict import Checked, Verdict, unfinished
from symmetry.cli.isolation.account import Account, Ending, packed
from symmetry.law.note import Note
from symmetry.report.answer import headline
from symmetry.report.verdicts import conclusion
from tests.catalogues import named

NAMES = ("symmetry/pure", "symmetry/clones", "symmetry/samples")
PLANNED = tuple(
    Verdict(named(name), "float32", "error", message="not run", steps=4) for name in NAMES
)
HOLDS = Verdict(named("symmetry/pure"), "float32", "holds", 2, 2)


DIED = Ending("it died")
LATE = Ending("within 3 seconds (--timeout)", limited=True)


def account(*messages: tuple[str, object]) -> Account:
    heard = Account()
    heard.hear("target", "mine")
    heard.hear("planned", packed(Checked("mine", 0, None, PLANNED)))
    for kind, record in messages:
        heard.hear(kind, packed(record))
    return heard


def attempt(name: str) -> tuple[str, object]:
    return "attempt", unfinished(name, "float32", "", cases=3)


def verdicts(heard: Account, end: Ending = DIED) -> list[tuple[str, str, int]]:
    whole = heard.ended(end, {})
    assert whole is not None
    return [(v.kind, v.message, v.cases) for v in whole[0].verdicts]


def test_what_was_running_is_an_error_and_the_rest_was_not_run() -> None:
    heard = account(attempt("symmetry/pure"), ("examined", HOLDS), attempt("symmetry/clones"))
    assert verdicts(heard) == [
        ("holds", "", 2),
        ("error", "it died", 3),
        ("not finished", "not run: it died", 0),
    ]
    assert heard.doing() == "symmetry/clones"


def test_what_comes_before_any_invariant_is_named() -> None:
    assert [text for _, text, _ in verdicts(account(attempt("first steps")))] == [
        "it died during first steps",
        "not run: it died",
        "not run: it died",
    ]


def test_an_error_of_the_check_is_told_as_one_in_the_first_line() -> None:
    heard = account(attempt("first steps"))
    whole = heard.ended(Ending("KeyError: 1", own=True), {})
    assert whole is not None
    stopped = "stopped by an error of symmetry itself during first steps"
    assert headline(whole[0], ()) == f"mine: {stopped} (0 checks)"
    there = "0 of 3 verdicts are there, and nothing is violated so far"
    assert conclusion(whole[0]) == f"{stopped}: KeyError: 1: {there}"
    assert whole[0].verdicts[1].message.startswith("not run: stopped by an error of symmetry")


def test_a_limit_is_told_in_the_first_line() -> None:
    whole = account(attempt("first steps")).ended(LATE, {})
    assert whole is not None
    late = "not finished within 3 seconds (--timeout) during first steps"
    assert headline(whole[0], ()) == f"mine: {late} (0 checks)"


def test_an_error_of_the_check_is_none_of_the_target() -> None:
    heard = account(attempt("symmetry/pure"), ("examined", HOLDS), attempt("symmetry/clones"))
    assert [kind for kind, _, _ in verdicts(heard, Ending("KeyError: 1", own=True))] == [
        "holds",
        "not finished",
        "not finished",
    ]


def test_a_limit_is_no_error() -> None:
    heard = account(attempt("symmetry/pure"), ("examined", HOLDS), attempt("symmetry/clones"))
    assert verdicts(heard, LATE) == [
        ("holds", "", 2),
        ("not finished", "not finished within 3 seconds (--timeout)", 3),
        ("not finished", "not run within 3 seconds (--timeout)", 0),
    ]
    whole = heard.ended(LATE, {"symmetry/clones": "known"})
    assert whole is not None
    assert not whole[0].complete
    assert not any(verdict.gates for verdict in whole[0].verdicts)


def test_verdicts_that_were_left_out_are_not_made_up() -> None:
    heard = account(("examined", HOLDS), attempt("symmetry/samples"))
    assert verdicts(heard) == [("holds", "", 2), ("error", "it died", 3)]


def test_verdicts_that_were_shown_stay_as_they_were_shown() -> None:
    violated = replace(HOLDS, kind="violated")
    expected = replace(violated, kind="expected failure", reason="known")
    heard = account(("examined", violated), ("verdict", expected), attempt("symmetry/clones"))
    whole = heard.ended(DIED, {"symmetry/pure": "known", "symmetry/clones": "so"})
    assert whole is not None
    found, shown = whole
    assert shown == 1
    assert [(v.kind, v.reason) for v in found.verdicts] == [
        ("expected failure", "known"),
        ("error", "so"),
        ("not finished", None),
    ]


def test_an_interrupted_check_says_how_far_it_came() -> None:
    found = account(("examined", HOLDS), attempt("symmetry/clones")).cut_short(
        "until it was interrupted", "not reached: it was interrupted"
    )
    assert found is not None
    assert [v.kind for v in found.verdicts] == ["holds", "not reached", "not reached"]
    assert headline(found, ()) == "mine: sound so far: 1 of 3 checks until it was interrupted"
    assert not found.complete
    assert Account().cut_short("until it was interrupted", "not reached") is None


def test_a_check_that_is_cut_short_says_how_it_ran() -> None:
    heard = account(("examined", HOLDS))
    heard.device = "CUDA"
    found = heard.cut_short("within 9 s", "not reached")
    assert found is not None
    assert headline(found, ()).endswith("within 9 s, run on the CPU in place of CUDA")


def test_only_the_explanation_of_a_whole_check_is_cut_short() -> None:
    examined = [("examined", replace(verdict, kind="holds")) for verdict in PLANNED]
    found = account(*examined).cut_short("within 9 s", "not reached")
    assert found is not None
    assert found.complete
    assert not found.cut


def test_a_comment_excuses_a_note_of_an_interrupted_check_too() -> None:
    notes = tuple(Note("loop/modes", "it is so", "train.py", line) for line in (3, 7))
    comment = Ignored("train.py", 3, range(3, 4), ("loop/modes",), "on purpose")
    heard = account(("examined", replace(HOLDS, notes=notes)))
    heard.hear("planned", packed(Checked("mine", 0, None, PLANNED, ignored=(comment,))))
    found = heard.cut_short("until it was interrupted", "not reached: it was interrupted")
    assert found is not None
    assert [note.line for note in found.notes] == [7]


def test_an_end_after_the_last_verdict_is_a_note() -> None:
    examined = [("examined", replace(verdict, kind="holds")) for verdict in PLANNED]
    whole = account(*examined).ended(DIED, {})
    assert whole is not None
    assert [verdict.kind for verdict in whole[0].verdicts] == ["holds"] * 3
    assert whole[0].remarks == ("it died",)


def test_without_a_plan_there_is_no_check() -> None:
    heard = Account()
    heard.hear("target", "mine")
    assert heard.ended(DIED, {}) is None
    assert heard.doing() == "mine"
