"""The scripts of reports/regressions.md are sound with the releases that are here."""

from __future__ import annotations

from pathlib import Path

from tests.cli.process import symmetry
from tests.conftest import needs

FOLDER = Path(__file__).parent


@needs("accelerate")
def test_weights_of_a_later_release_keep_their_updates():
    done = symmetry("check", "master_weights.py", "--only", "training/lost", cwd=FOLDER)
    assert done.status == 0, done.out + done.err


def test_the_page_names_each_script():
    page = Path("reports/regressions.md").read_text("utf-8")
    scripts = {file.name for file in FOLDER.glob("*.py")} - {"__init__.py", Path(__file__).name}
    assert len(scripts) == 3
    assert all(f"tests/studies/regressions/{name}" in page for name in scripts)
