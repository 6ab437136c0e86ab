"""The order of an answer: its line, the problems, the notes, and what holds."""

from __future__ import annotations

from dataclasses import replace

from symmetry.checker.verdict import LOSS_NOT_FINITE
from symmetry.report.answer import lines
from symmetry.report.folding import folded
from symmetry.training.run_facts import RunFacts
from tests.report.checks import (
    EXPLAINED,
    HOLDS,
    IDLE,
    NOTE,
    PERMUTED,
    UNITS,
    VACUOUS,
    checked,
)

CERTAINTY = (
    "Renumbering these equal units changes the training 1.8 million times as far as rounding moves "
    "it (30 times is the limit)."
)


def test_the_guilty_line_is_among_the_first_three() -> None:
    check = checked(HOLDS, *UNITS, IDLE, VACUOUS, notes=(NOTE,))
    assert list(lines(check, EXPLAINED)) == [
        "train.py: 1 problem, 1 note (3 checks)",
        "",
        "train.py:17 treats unit 7 of layer 0 differently from unit 0",
        "      parameter.grad[:-1].clamp_(-1, 1)",
        *folded(CERTAINTY, "  ", ""),
        "  found by  symmetry/permutation, symmetry/clones",
        "  cure      Apply the operation to all units of the layer, or to none.",
        "  operation clamp_: it leaves out the last unit",
        "  repeat    symmetry check train.py --only symmetry/permutation",
        "  more      symmetry explain train.py",
        "",
        "note: loss/scaling: train.py:12: the loss is a sum, and a mean",
        "",
        "not tested: training/moves: no optimiser stepped",
        "1 check holds. 1 does not apply: --verbose",
    ]


def test_what_a_loss_that_is_not_finite_leaves_unjudged_is_counted_apart() -> None:
    unjudged = replace(PERMUTED, kind="not applicable", message=LOSS_NOT_FINITE)
    last = " ".join(line.strip() for line in [*lines(checked(HOLDS, unjudged, IDLE))][2:])
    assert last == (
        "1 check holds. 1 was not judged, since a loss of the first steps is not finite. "
        "1 does not apply (all of training/*): --verbose"
    )


def test_a_sound_training() -> None:
    assert list(lines(checked(HOLDS))) == ["train.py: sound (1 check)", "", "1 check holds."]


def test_a_script_without_a_seed_is_told_so_last() -> None:
    facts = RunFacts(without_seed=("PyTorch", "NumPy"))
    last = " ".join(line.strip() for line in lines(checked(HOLDS, facts=facts)))
    assert last.endswith(
        "no seed: PyTorch and NumPy will draw other random numbers in each run of this script; "
        "the check began from seed 0"
    )


def test_notes_are_counted_in_the_first_line() -> None:
    first, *_ = lines(checked(HOLDS, notes=(NOTE,)))
    assert first == "train.py: sound, 1 note (1 check)"
    first, *_ = lines(checked(HOLDS, notes=(NOTE, replace(NOTE, line=3))))
    assert first == "train.py: sound, 2 notes (1 check)"


def test_a_check_that_proved_nothing_leaves_its_reason_to_the_error() -> None:
    first, *rest = lines(checked(VACUOUS))
    assert first == "train.py: nothing was checked (0 checks)"
    assert rest == ["", "not tested: training/moves: no optimiser stepped"]


def test_rounding_and_expected_failures_are_counted() -> None:
    rounding = replace(PERMUTED, kind="rounding")
    expected = replace(UNITS[2], kind="expected failure", reason="known")
    *_, last = lines(checked(HOLDS, rounding, expected))
    assert (
        last
        == "1 check holds. 1 check differs only by rounding: nothing to do. 1 fails as expected."
    )


def test_a_limit_leaves_checks_unfinished() -> None:
    late = replace(VACUOUS, kind="not finished", message="took more than 5 seconds")
    first, *_, last = lines(checked(HOLDS, late))
    assert first == "train.py: took more than 5 seconds (1 check)"
    assert last == "1 check holds. 1 check did not finish."


def test_a_check_that_was_cut_short_says_how_far_it_came() -> None:
    late = replace(VACUOUS, kind="not reached")
    half = replace(HOLDS, dtype="float64", kind="not reached")
    cut = "within 60 s"
    assert [*lines(checked(HOLDS, late, cut=cut))] == [
        "train.py: sound so far: 1 of 2 checks within 60 s",
        "",
        "not reached: training/moves",
        "1 check holds.",
    ]
    first, *_ = lines(checked(HOLDS, half, late, notes=(NOTE,), cut=cut))
    assert first == "train.py: sound so far, 1 note: 0 of 2 checks within 60 s"
    first, *_ = lines(checked(*UNITS, HOLDS, late, cut=cut), EXPLAINED)
    assert first == "train.py: 1 problem (3 of 4 checks within 60 s)"
    first, *_ = lines(checked(late, cut=cut))
    assert first == "train.py: nothing was checked (0 of 1 check within 60 s)"


def test_a_note_that_gates_is_no_further_note() -> None:
    text = "\n".join(lines(checked(HOLDS, notes=(NOTE,), gating=(NOTE,))))
    assert text.startswith("train.py: 1 problem (1 check)\n\ntrain.py:12: the loss is a sum")
    assert "note:" not in text
