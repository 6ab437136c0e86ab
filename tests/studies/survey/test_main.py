"""Each model is checked in a copy of the survey's process; what dies or hangs ends no survey."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.studies.copies import Copies
from tests.studies.survey import __main__ as survey

pytestmark = [
    pytest.mark.skipif(
        "fork" not in multiprocessing.get_all_start_methods(),
        reason="this system copies no process",
    ),
    pytest.mark.filterwarnings("ignore:os.fork"),  # of JAX, if another test has imported it
]


def fine(copies: Copies, target: str, file: Path) -> None:
    line = {"trainer": target, "results": [], "table": {"in_short": "sound"}}
    file.write_text(json.dumps(line), "utf-8")


def hangs(copies: Copies, target: str, file: Path) -> None:
    while True:
        pass


def dies(copies: Copies, target: str, file: Path) -> None:
    os._exit(3)


@pytest.mark.parametrize(
    ("child", "error"),
    [(fine, None), (hangs, "it did not end within 1 CPU seconds"), (dies, "it died")],
    ids=["fine", "hangs", "dies"],
)
def test_a_model_has_its_line(monkeypatch: pytest.MonkeyPatch, child: Any, error: str) -> None:
    monkeypatch.setattr(survey.Models, "write", child)
    line, _ = survey.Models((), "", 1 if child is hangs else 100).check("some.py:training")
    assert line["target"] == line["trainer"] == "some.py:training"
    assert line.get("error") == error
    assert line["seconds"] < 60


SCRIPT = """
import json, sys
from tests.studies.survey.__main__ import Models
print(json.dumps(Models((), "", 200).check(sys.argv[1])[0]))
"""


def test_a_line_is_what_the_command_writes(tmp_path: Path) -> None:
    file = tmp_path / "training.py"
    file.write_text("def nothing(): pass\n", "utf-8")
    command = [sys.executable, "-c", SCRIPT, f"{file}:nothing"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    line = json.loads(done.stdout)
    [result] = line["results"]
    assert (result["verdict"], line["table"]["exit_code"]) == ("error", 1)
    assert "returned None, expected" in result["message"]
    assert line["ended"] == "whole"


def test_models_that_are_checked_again_are_compared_with_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def result(name: str, verdict: str) -> dict[str, str]:
        return {"name": name, "dtype": "float32", "verdict": verdict}

    class Again(survey.Models):
        def check(self, target: str) -> tuple[Any, str]:
            newer = result("newer", "not applicable")
            return {"results": [result("a", "holds"), result("b", "holds"), newer]}, target

    table = {
        f"{survey.TARGETS}:same": {"results": [result("a", "holds"), result("b", "holds")]},
        f"{survey.TARGETS}:other": {"results": [result("a", "violated")]},
    }
    work = Again((), "", 1)
    assert survey.compare(["same"], work, table) == 0
    assert "  as in the table\n" in capsys.readouterr().out
    assert survey.compare(["other"], work, table) == 1
    assert "  a in float32: violated in the table, holds now\n" in (out := capsys.readouterr().out)
    assert "  b in float32: none in the table, holds now\n" in out
