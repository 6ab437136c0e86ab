"""The table of faults: what its marks mean, and that the committed one is of this zoo."""

from __future__ import annotations

from pathlib import Path

import pytest

from symmetry.steps.drawn_cases import draw_cases
from tests.faulty import FAULTY
from tests.sound import SOUND
from tests.studies.faults.steps import Acquittal, Catch, Survey
from tests.studies.faults.steps_section import render

CASE = draw_cases(1)[0]
FAULTS = {fault.name: fault for fault in FAULTY}
COMMITTED = Path(__file__).parents[3] / "reports" / "faults.md"


def caught(name: str, *others: str, rounding: bool = False) -> Catch:
    fault = FAULTS[name]
    return Catch(fault, frozenset((*fault.caught_by, *others)), 7, CASE, rounding)


def a_survey(*catches: Catch, accusing: tuple[str, ...] = ()) -> Survey:
    return Survey(catches, (Acquittal(SOUND[0], accusing, accusing),))


def row(text: str, start: str) -> list[str]:
    """Return the cells of the first row of a table that starts like this."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_marks_say_what_catches_a_fault():
    survey = a_survey(
        caught("slope_of_the_neighbour", "symmetry/permutation"), caught("slope_forgotten")
    )
    assert survey.unexpected == []
    text = render(survey)
    size = f"{CASE.n} × {CASE.i} × {CASE.h} × {CASE.c}, step {CASE.iterations}"
    assert row(text, "`slope_of_the_neighbour`")[1:] == [*"··●○·········", "7", size]
    assert row(text, "**caught**")[1:14] == [*"0011000000010"]
    assert "**2 of 2 were caught" in text
    assert "1 by `symmetry/*`" in text
    assert "1 only by `network/*`" in " ".join(text.split())
    assert "Of 1 sound steps 0 were accused" in " ".join(text.split())


def test_a_fault_that_varies_promises_only_what_is_sure():
    text = render(a_survey(caught("samples_drawn_unseeded", "symmetry/w1-columns")))
    assert row(text, "`samples_drawn_unseeded`")[1:] == [*"????????●????", "?", "?"]


def test_the_size_of_a_counterexample_of_rounding_is_not_told():
    text = render(a_survey(caught("tail_lanes_summed_backwards", rounding=True)))
    assert row(text, "`tail_lanes_summed_backwards`")[-2:] == ["7", "≈"]


def test_a_missed_fault_and_an_accused_trainer_are_named():
    missed = Catch(FAULTS["slope_forgotten"], frozenset(), 0, None, False)
    survey = a_survey(missed, accusing=("symmetry/clones",))
    assert survey.unexpected == ["slope_forgotten", SOUND[0].name]
    text = render(survey)
    assert "**0 of 1 were caught" in text
    assert "Missed: `slope_forgotten`." in text
    assert row(text, "`slope_forgotten`")[12] == "✗"
    assert row(text, f"`{SOUND[0].name}`")[-1] == "accused: symmetry/clones"


def test_the_committed_report_is_of_this_zoo():
    text = COMMITTED.read_text(encoding="utf-8")
    for fault in FAULTY:
        assert f"| `{fault.name}` | {fault.wrong} |" in text
    for sound in SOUND:
        assert f"| `{sound.name}` | {sound.about} |" in text
    numbers = f"{len(FAULTY)} of {len(FAULTY)} were caught"
    assert numbers in " ".join(text.split())


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Let the command survey nothing much, and write elsewhere."""
    from tests.studies.faults import __main__

    monkeypatch.setattr(__main__, "REPORTS", tmp_path)
    monkeypatch.setattr(__main__.entries, "names", lambda of_steps: [])
    monkeypatch.setattr(__main__.steps, "survey", lambda rows: a_survey(caught("slope_forgotten")))
    monkeypatch.setattr(__main__.trainings, "survey", lambda rows: ())
    monkeypatch.setattr(__main__, "section", lambda found: "# Trainings\n")
    return tmp_path


def run(monkeypatch, *arguments: str) -> int:
    from tests.studies.faults import __main__

    monkeypatch.setattr("sys.argv", ["faulty", *arguments])
    return __main__.main()


def test_check_writes_no_report_and_tells_a_difference(monkeypatch, quick, capsys):
    assert run(monkeypatch, "--check") == 1
    assert [file.name for file in quick.iterdir()] == ["faults.jsonl"]  # its rows
    assert run(monkeypatch) == 0
    assert run(monkeypatch, "--check") == 0
    path = quick / "faults.md"
    path.write_text(path.read_text(encoding="utf-8").replace("●", "○"), encoding="utf-8")
    assert run(monkeypatch, "--check") == 1
    assert capsys.readouterr().out.count("faults.md") == 2
