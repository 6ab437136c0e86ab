"""The scripts of reports/findings print what their pages say, as released and with the fix."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import needs

FINDINGS = sorted(
    file for file in Path("reports/findings").glob("*.md") if file.name != "README.md"
)
_BLOCK = re.compile(r"^```(python|text|diff)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_HEADINGS = ("Environment:", "Reproduction:", "Actual:", "Expected:", "Cause:", "Related:")
_DIGITS = re.compile(r"\d\.\de[-+]\d\d(?<!0\.0e\+00)")  # of a processor
_CHANGED = """
import importlib.machinery as machinery, sys
from pathlib import Path
changed = dict(zip(*[iter(sys.argv[1:])] * 2, strict=True))
load = machinery.SourceFileLoader.get_code
def get_code(self, name):
    file = changed.get(self.path)
    return load(self, name) if file is None else compile(Path(file).read_bytes(), self.path, "exec")
machinery.SourceFileLoader.get_code = get_code
"""


def parts(finding: Path) -> tuple[str, str, str, str]:
    """Return script, output, fix and the output with the fix, without digits of a processor."""
    text = finding.read_text("utf-8")
    if f"transformers {importlib.metadata.version('transformers')}," not in text:
        pytest.skip("the finding is of another version of transformers")
    blocks = _BLOCK.findall(text)
    assert [kind for kind, _ in blocks] == ["python", "text", "diff", "text"]
    script, output, fix, fixed = (block for _, block in blocks)
    return script, output, fix, fixed


def printed(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-", *arguments], input=script, capture_output=True, text=True
    )
    assert not done.returncode, done.stderr
    return _DIGITS.sub("#", done.stdout)


@needs("transformers")
@pytest.mark.parametrize("finding", FINDINGS, ids=lambda file: file.stem)
def test_a_script_prints_what_its_finding_says(finding: Path) -> None:
    script, output, _, _ = parts(finding)
    assert printed(script) == _DIGITS.sub("#", output)


@needs("transformers")
@pytest.mark.slow
@pytest.mark.parametrize("finding", FINDINGS, ids=lambda file: file.stem)
def test_a_fix_does_what_its_finding_says(finding: Path, tmp_path: Path) -> None:
    script, _, fix, output = parts(finding)
    arguments: list[str] = []
    for number, (file, text) in enumerate(applied(fix).items()):
        tmp_path.joinpath(str(number)).write_text(text, "utf-8")
        arguments += [str(file), str(tmp_path / str(number))]
    assert printed(_CHANGED + script, *arguments) == _DIGITS.sub("#", output)


def applied(fix: str) -> Mapping[Path, str]:
    """Return the files of the installed library that a fix changes, with the changes."""
    spec = importlib.util.find_spec("transformers")
    assert spec is not None
    [library] = spec.submodule_search_locations or ()
    texts: dict[Path, str] = {}
    for change in re.split("^--- a/src/transformers/", fix, flags=re.MULTILINE)[1:]:
        head, *hunks = re.split(r"^@@.*\n", change, flags=re.MULTILINE)
        file = Path(library, head.split()[0])
        text = file.read_text("utf-8")
        for hunk in hunks:
            lines = hunk.splitlines()
            old, new = (
                "\n".join(line[1:] for line in lines if line[:1] in ("", " ", sign))
                for sign in "-+"
            )
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        texts[file] = text
    return texts


def test_a_finding_is_a_report_that_can_be_sent() -> None:
    for finding in FINDINGS:
        text = finding.read_text("utf-8")
        assert [text.count(f"\n{heading}") for heading in _HEADINGS] == [1] * len(_HEADINGS)


def test_every_finding_is_listed() -> None:
    listed = re.findall(
        r"\]\(([^/)]+\.md)\)", Path("reports/findings/README.md").read_text("utf-8")
    )
    assert sorted(listed) == [file.name for file in FINDINGS]


@needs("transformers")
def test_effects_are_those_of_the_page():
    from tests.studies.survey import effects

    page = (FINDINGS[0].parent / "README.md").read_text("utf-8")
    assert effects.hidden_tokens("Bert", 16) == 0
    for value, said in (
        (effects.hidden_tokens("Yoso", 16), "move the gradient by {:.1f} %; BERT's by 0"),
        (effects.hidden_tokens("Nystromformer", 64), "move the gradient by {:.1f} %; with fewer"),
        (effects.attention_kernels(), "sdpa moves the gradient of eager by {:.1f} %"),
        (effects.packed_documents(), "moves the gradient of Llama by {:.0f} %"),
        (effects.untrained(), "no gradient reaches {:.0f} % of the encoder's parameters"),
    ):
        assert said.format(100 * value) in page
