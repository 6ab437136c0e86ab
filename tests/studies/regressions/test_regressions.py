"""The page of regressions names the scripts that it was made with."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def test_the_page_names_each_script():
    page = Path("reports/regressions.md").read_text("utf-8")
    scripts = {file.name for file in FOLDER.glob("*.py")} - {"__init__.py", Path(__file__).name}
    assert len(scripts) == 5
    assert all(f"tests/studies/regressions/{name}" in page for name in scripts)
