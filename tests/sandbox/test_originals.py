"""A file that a mirror links is seen to change, and nothing else."""

from __future__ import annotations

import os

from symmetry.sandbox.originals import Originals


def test_what_is_written_or_removed_has_changed(tmp_path):
    names = ("kept", "written", "removed", "touched")
    for name in names:
        (tmp_path / name).write_text("old")
    originals = Originals()
    for name in names:
        originals.note(str(tmp_path / name))
    assert originals.changed() == []
    (tmp_path / "written").write_text("longer")
    (tmp_path / "removed").unlink()
    os.utime(tmp_path / "touched", (1, 1))
    assert originals.changed() == [str(tmp_path / name) for name in names[1:]]


def test_the_files_of_a_folder_are_noted_as_they_were_at_first(tmp_path):
    (tmp_path / "inner").mkdir()
    file = tmp_path / "inner" / "file"
    file.write_text("old")
    originals = Originals()
    originals.note(str(tmp_path))
    file.write_text("longer")
    originals.note(str(tmp_path))
    assert originals.changed() == [str(file)]
