"""The tools: each is given a script, as its documentation says, and returns its findings.

A tool that takes a model and a batch, and no script, is called where the script makes its first
update, with expressions that a user would write there.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.studies.silent.pair import Batch, Pair


class NotApplicable(Exception):  # noqa: N818
    """A tool does not take such a script; the message says why."""


@dataclass
class Findings:
    """The findings on one script, by the names of checks, rules or invariants."""

    accused: list[str] = field(default_factory=list)  # failures and errors
    told: list[str] = field(default_factory=list)  # warnings and notes


@dataclass(frozen=True)
class Scripts:
    """A pair in a folder of its own, which is the working directory."""

    pair: Pair
    broken: Path
    twin: Path

    def batch(self, script: Path) -> Batch:
        found = self.pair.expressions(of_twin=script == self.twin)
        if found is None:
            raise NotApplicable("it takes no script of several ranks")
        return found


@dataclass(frozen=True)
class Tool:
    """A tool, and how it is called."""

    name: str
    package: str  # by which pip installs it
    judge: Callable[[Scripts, Path], Findings]
    lines: str  # that a user writes
    inside: bool = False  # whether it runs in this process, and so needs what takes long to import

    @property
    def version(self) -> str | None:
        """Its version here; None if it is not installed."""
        try:
            return version(self.package)
        except PackageNotFoundError:
            return None


def _symmetry(scripts: Scripts, script: Path) -> Findings:
    words = ["check", script.name, "--no-explain", "--line", "found.json", *scripts.pair.options]
    file = Path("found.json")
    file.unlink(missing_ok=True)
    _run("-m", "symmetry", *words, statuses=(0, 1, 2))
    if not file.exists():
        raise RuntimeError("the script cannot be checked (exit status 2)")
    found = json.loads(file.read_text("utf-8"))
    broken = {r["name"] for r in found["results"] if r["verdict"] in ("violated", "error")}
    return Findings(sorted(broken), sorted({note["name"] for note in found["notes"]}))


def _traincheck(scripts: Scripts, script: Path) -> Findings:
    """Infer invariants from a run of the twin, and hold another run against them.

    The twin is held against them as well, with its own second run.
    """
    model = scripts.batch(script).model
    if not model.isidentifier():
        raise NotApplicable("the trained model has no name")
    if not Path("invariants.json").exists():
        options = ["--models-to-track", model, "--output-dir", "ref"]
        _traincheck_run("collect", "--pyscript", "twin.py", *options)
        _traincheck_run("infer", "-f", "ref", "-o", "invariants.json")
    trace = f"trace_{script.stem}"
    options = ["--models-to-track", model, "--output-dir", trace]
    _traincheck_run(
        "collect", "--pyscript", script.name, "--invariants", "invariants.json", *options
    )
    results = f"results_{script.stem}"
    _traincheck_run("check", "-f", trace, "-i", "invariants.json", "-o", results)
    [failed] = Path(results).rglob("failed.log")
    return Findings(sorted(set(_described(failed.read_text("utf-8")))))


def _described(text: str) -> Iterator[str]:
    """Yield the descriptions of the failed invariants of a log of TrainCheck."""
    decoder, at = json.JSONDecoder(), 0
    while (at := text.find("{", at)) >= 0:
        value, at = decoder.raw_decode(text, at)
        yield value["invariant"]["text_description"]


def _traincheck_run(command: str, *words: str) -> None:
    _run(str(Path(sys.executable).with_name(f"traincheck-{command}")), *words, python=False)


def _torchtest2(scripts: Scripts, script: Path) -> Findings:
    batch = scripts.batch(script)
    names = _at_the_first_update(script)
    tool: Any = importlib.import_module("torchtest2")
    report = tool.check_model(
        _value(batch.model, names),
        _value(batch.inputs, names),
        _value(batch.targets, names),
        loss_fn=_value(batch.loss, names),
        optimizer=_value(batch.optimizer, names),
    )
    return Findings([r.name for r in report.failures], [r.name for r in report.warnings])


def _pytest_torch(scripts: Scripts, script: Path) -> Findings:
    """Call each helper of its guide that takes a model, a batch, a loss or an optimiser."""
    batch = scripts.batch(script)
    names = _at_the_first_update(script)
    tool: Any = importlib.import_module("pytest_torch")
    model, optimizer = _value(batch.model, names), _value(batch.optimizer, names)
    inputs, targets = _value(batch.inputs, names), _value(batch.targets, names)
    given, loss = (targets,) * (targets is not None), _value(batch.loss, names)
    contract = tool.check_inference_contract(model.eval(), inputs, raise_on_failure=False)
    failed = [result.name for result in contract.failures]
    learning = "gradients_finite", "all_params_receive_grad", "loss_decreases", "overfits_one_batch"
    for name in ("optimizer_coverage", *learning):
        call = getattr(tool, f"assert_{name}")
        try:
            if name in learning:
                call(model.train(), inputs, lambda outputs: loss(outputs, *given))
            else:
                call(model, optimizer)
        except AssertionError:
            failed.append(name)
    return Findings(failed)


def _checklist(scripts: Scripts, script: Path) -> Findings:
    batch = scripts.batch(script)
    if not (batch.classes or batch.words):
        raise NotApplicable("it takes classifiers and language models of one input and one loss")
    names = _at_the_first_update(script)
    tool: Any = importlib.import_module("neural_net_checklist.torch_diagnostics")
    model = _value(batch.model, names)

    def made() -> Any:
        return copy.deepcopy(model)

    rows = _value(batch.inputs, names), _value(batch.targets, names)
    try:
        if batch.classes:
            tool.assert_all_for_classification_cross_entropy_loss(
                made, rows, num_classes=_value(batch.classes, names)
            )
        else:
            tool.assert_all_for_causal_llm_cross_entropy_loss(
                made, rows, vocab_size=_value(batch.words, names)
            )
    except AssertionError as error:
        failed = [f.name for f in _frames(error) if f.name.startswith("assert_")]
        return Findings([failed[-1]])
    return Findings()


def _torch_audit(scripts: Scripts, script: Path) -> Findings:
    batch = scripts.batch(script)
    tool: Any = importlib.import_module("torch_audit")
    auditors: list[Any] = []

    def install(names: dict[str, Any]) -> None:
        model, optimizer = _value(batch.model, names), _value(batch.optimizer, names)
        auditors.append(tool.autopatch(model, optimizer=optimizer, every_n_steps=1))

    _with_hook(script, install)
    found = auditors[0].finish().findings
    levels = {each.rule_id: each.severity.value for each in found}
    return Findings(
        sorted(rule for rule, level in levels.items() if level in ("ERROR", "FATAL")),
        sorted(rule for rule, level in levels.items() if level == "WARN"),
    )


def _torchfix(scripts: Scripts, script: Path) -> Findings:
    printed = _run("-m", "torchfix", script.name, statuses=(0, 1))
    return Findings(sorted(set(re.findall(r"\bTOR\d+\b", printed))))


def _mldoct(scripts: Scripts, script: Path) -> Findings:
    tool: Any = importlib.import_module("mldoctor.linter")
    found, _ = tool.lint_script(str(script))
    loud = ("CRITICAL", "ERROR")
    return Findings(
        sorted({each["type"] for each in found if each["severity"] in loud}),
        sorted({each["type"] for each in found if each["severity"] not in loud}),
    )


class _Reached(BaseException):
    """The script has come to its first update."""


def _at_the_first_update(script: Path) -> dict[str, Any]:
    """Return all names that the script has where it makes its first update."""
    found: dict[str, Any] = {}

    def keep(names: dict[str, Any]) -> None:
        found.update(names)
        raise _Reached

    with contextlib.suppress(_Reached):
        _with_hook(script, keep)
    return found


def _with_hook(script: Path, reached: Callable[[dict[str, Any]], None]) -> None:
    """Run a script, and call a function with its names before the first update."""
    optimizers: Any = importlib.import_module("torch.optim.optimizer")
    done: list[bool] = []

    def hook(optimizer: Any, args: Any, kwargs: Any) -> None:
        if not done:
            done.append(True)
            reached(_names(script))

    handle = optimizers.register_optimizer_step_pre_hook(hook)
    try:
        with patch.object(sys, "argv", [str(script)]):
            runpy.run_path(str(script), run_name="__main__")
    finally:
        handle.remove()
    if not done:
        raise NotApplicable("it makes no update")


def _names(script: Path) -> dict[str, Any]:
    frame, found = sys._getframe(), dict[str, Any]()
    at = frame.f_back
    while at is not None:
        if at.f_code.co_filename == str(script):
            found = {**at.f_globals, **at.f_locals, **found}  # inner names hide outer ones
        at = at.f_back
    return found


def _value(expression: str, names: dict[str, Any]) -> Any:
    return eval(expression, names)


def _frames(error: BaseException) -> list[Any]:
    import traceback

    return list(traceback.extract_tb(error.__traceback__))


def _run(*words: str, python: bool = True, statuses: tuple[int, ...] = (0,)) -> str:
    command = [sys.executable, *words] if python else [*words]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode not in statuses:
        last = [*(done.stdout + done.stderr).strip().splitlines(), ""]
        raise RuntimeError(f"exit status {done.returncode}: {last[-1] or last[0]}")
    return done.stdout


@contextlib.contextmanager
def silently() -> Iterator[None]:
    """Keep back what scripts and tools print."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


TOOLS = (
    Tool("symmetry", "unit-symmetry", _symmetry, "0"),
    Tool("TrainCheck", "traincheck", _traincheck, "0, and a sound script"),
    Tool("torchtest2", "torchtest2", _torchtest2, "2", inside=True),
    Tool("torch-audit", "torch-audit", _torch_audit, "3", inside=True),
    Tool("pytest-torch", "pytest-torch", _pytest_torch, "8", inside=True),
    Tool("neural_net_checklist", "neural-net-checklist", _checklist, "3", inside=True),
    Tool("TorchFix", "torchfix", _torchfix, "0"),
    Tool("mldoct", "mldoct", _mldoct, "0"),
)
