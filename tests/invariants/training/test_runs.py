"""A script that fails beyond its first steps is accused, if it does so by itself, too."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from symmetry.base.errors import Failure
from symmetry.base.updates import PlainRun
from symmetry.invariants.training.runs import runs
from symmetry.targets.script import script
from symmetry.training.start import TrainingStart
from tests.torch.script.epochs.helpers import HEAD

ENDS = {
    "in its validation": "for _ in range(3):\n    train()\n    model.eval()\n    (y == 1).mean()",
    "in its second epoch": "for epoch in range(3):\n    train()\n    assert epoch == 0",
    "with a status": "train()\nimport sys\nsys.exit(3)",
}


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """Measure ``training/runs`` on a script; without a plain run if one is given."""
    monkeypatch.chdir(tmp_path)

    def measure(text, plain=None):
        head = HEAD + "x, y = next(iter(loader))\n"
        (tmp_path / "late.py").write_text(head + text)
        target = script("late.py")
        if plain is not None:
            monkeypatch.setattr(target.training, "plain_run", lambda: plain)
        try:
            return runs(TrainingStart(target.training, "float32"))
        finally:
            target.close()

    return measure


@pytest.mark.slow
@pytest.mark.parametrize("text", ENDS.values(), ids=ENDS)
def test_a_script_that_fails_late_is_accused_at_the_line(measured, text):
    found = measured(text)
    assert found.violation is not None
    assert (found.violation.file, found.violation.line) == ("late.py", 21 + text.count("\n"))
    assert found.violation.message.startswith(("raises ", "exits with status 3"))


def test_a_failure_that_a_plain_run_repeats_is_accused_at_its_line(measured):
    text = ENDS["in its validation"]
    line = 21 + text.count("\n")
    plain = PlainRun(Failure("RuntimeError", "raises RuntimeError", "late.py", line))
    found = measured(text, plain=plain)
    assert found.violation is not None
    assert (found.violation.file, found.violation.line) == ("late.py", line)


def test_a_sound_script_holds_without_a_plain_run(measured):
    assert measured("train()", plain="not asked for").counted


COUNTS = (
    "for seen, (x, y) in enumerate(loader, 1):\n"
    "    optimizer.zero_grad()\n"
    "    nn.functional.cross_entropy(model(x), y).backward()\n"
    "    optimizer.step()\n"
    "assert seen == 12, seen\n"
)


def test_what_short_epochs_provoke_is_no_failure(measured):
    found = measured(COUNTS, plain=PlainRun())
    assert found.counted
    assert found.violation is None
    assert found.notes == ()


def test_whether_whole_epochs_fail_may_not_be_known(measured):
    found = measured(COUNTS, plain=PlainRun(is_whole=False))
    assert found.violation is None
    (note,) = found.notes
    assert (note.file, note.line) == ("late.py", 25)
    assert "raises AssertionError: 2 if its epochs have two batches" in note.text


ENDLESS = (
    "class Endless(torch.utils.data.IterableDataset):\n"
    "    def __iter__(self):\n"
    "        while True:\n"
    "            yield from zip(x, y)\n"
    "batches = iter(DataLoader({}, batch_size=8))\n"
    "for _ in range(4):\n"
    "    a, b = next(batches)\n"
    "    optimizer.zero_grad()\n"
    "    nn.functional.cross_entropy(model(a), b).backward()\n"
    "    optimizer.step()\n"
)


def test_a_loader_without_an_end_has_no_first_whole_epoch(measured):
    found = measured(ENDLESS.format("Endless()"), plain=PlainRun(is_whole=False))
    assert (found.counted, found.violation, found.notes) == (True, None, ())
    (note,) = measured(ENDLESS.format("[*zip(x, y)] * 9"), plain=PlainRun(is_whole=False)).notes
    assert "raises StopIteration" in note.text


@pytest.mark.parametrize(
    "plain", [PlainRun(), PlainRun(Failure("ValueError", "raises ValueError: no", "late.py", 1))]
)
def test_what_only_the_check_provokes_is_not_judged(measured, plain):
    found = measured("train()\nraise ValueError('no')", plain)
    assert (found.counted, found.violation) == (False, None)
    assert found.note == (
        "cannot judge: it raises ValueError: no while it is observed, and not by itself"
    )


def test_a_script_that_lacks_its_input_is_not_judged(measured):
    found = measured("train()\ninput('go on? ')", plain="not asked for")
    assert (found.counted, found.violation) == (False, None)
    assert "it reads standard input" in found.note


def test_a_script_that_has_no_room_for_its_files_is_not_judged(measured, monkeypatch):
    """PyTorch's own words are: unexpected pos 960 vs 854."""
    full = SimpleNamespace(free=4096)
    monkeypatch.setattr("symmetry.sandbox.sandbox.shutil.disk_usage", lambda _: full)
    found = measured(
        "train()\nraise RuntimeError('unexpected pos 960 vs 854')", plain="not asked for"
    )
    assert (found.counted, found.violation) == (False, None)
    assert "set TMPDIR to a folder with more room" in found.note
