"""The scripts of reports/findings still print what the findings say that they do."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import needs

FINDINGS = sorted(
    file for file in Path("reports/findings").glob("*.md") if file.name != "README.md"
)
_BLOCKS = re.compile(r"```python\n(.*?)```.*?```text\n(.*?)```", re.DOTALL)
_NOT_ZERO = re.compile(r"\d\.\de[-+]\d\d(?<!0\.0e\+00)")  # digits are of a processor


@needs("transformers")
@pytest.mark.parametrize("finding", FINDINGS, ids=lambda file: file.stem)
def test_a_script_prints_what_its_finding_says(finding: Path) -> None:
    text = finding.read_text("utf-8")
    [(script, output)] = _BLOCKS.findall(text)
    assert script.count("\n") <= 40
    if f"transformers {importlib.metadata.version('transformers')}," not in text:
        pytest.skip("the finding is of another version of transformers")
    done = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    assert _NOT_ZERO.sub("#", done.stdout) == _NOT_ZERO.sub("#", output)


def test_every_finding_is_listed() -> None:
    listed = re.findall(r"\]\((.*?\.md)\)", Path("reports/findings/README.md").read_text("utf-8"))
    assert sorted(listed) == [file.name for file in FINDINGS]
