"""Changes modules in small ways, one at a time, and sees whether their tests notice.

    python -m tests.mutation symmetry/units/*.py --sample 40 --tests tests/units

What follows ``--tests`` are arguments of pytest.

It needs ``pip install cosmic-ray``, works in a copy of the tree, and shows what survives. Changes
of annotations, and what cannot be compiled, are not tried.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import math
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import numba
import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).parents[1]
LOADED = hypothesis, numba, pytest  # once, so that each run of the tests begins at once


def mutants(modules: list[str], seed: int) -> Iterator[tuple[str, str]]:
    """Yield a module and its source changed in one place, all of them in a random order."""
    sources = {module: (ROOT / module).read_text() for module in modules}
    operators = {name: get_operator(name) for name in operator_names()}
    operators = {name: op() for name, op in operators.items() if not op.arguments()}
    places = []
    for module, source in sources.items():
        nodes = list(ast_nodes(get_ast(source)))
        for name, operator in operators.items():
            number = sum(len(list(operator.mutation_positions(node))) for node in nodes)
            places += [(module, name, occurrence) for occurrence in range(number)]
    random.Random(seed).shuffle(places)
    for module, name, occurrence in places:
        changed = mutate_code(sources[module], operators[name], occurrence)
        if executed(changed) not in (None, executed(sources[module])):
            yield module, changed


def executed(source: str) -> str | None:
    """Return a source without its annotations, which only mypy reads; None for none at all."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
    return ast.dump(tree)


def passes(tree: Path, tests: list[str], seconds: int) -> bool:
    """Return whether the tests pass in a copy of the tree, in so many seconds of the processor."""
    process = multiprocessing.get_context("fork").Process(target=run, args=(tree, tests, seconds))
    process.start()
    process.join(20 * seconds)  # on a busy machine, or waiting for something that never comes
    process.kill()
    process.join()
    return process.exitcode == 0


def run(tree: Path, tests: list[str], seconds: int) -> None:
    """Run the tests quietly, and exit with their status."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree)
    sys.path.insert(0, str(tree))
    sys.modules.pop("tests")
    sys.dont_write_bytecode = True
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    options = ["-qx", "--assert=plain", "-p", "no:cacheprovider"]
    sys.exit(pytest.main([*options, *tests], plugins=[QuickestFirst(tree / "seconds.json")]))


class QuickestFirst:
    """Runs the tests in the order of the times that they took before: most mutants die early."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seconds = json.loads(file.read_text()) if file.exists() else {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self._seconds.get(item.nodeid, 0.0))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if exitstatus == 0 and not self._file.exists():
            self._file.write_text(json.dumps(self._seconds))


def processor_seconds() -> float:
    """Return what the runs of the tests have used so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print each mutant that survives, as a difference, and the score at last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("modules", nargs="+")
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tests", nargs=argparse.REMAINDER, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        tree = Path(place, "tree")
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        passes(tree, options.tests, 600)  # so that Numba compiles what it keeps
        before = processor_seconds()
        if not passes(tree, options.tests, 600):
            sys.exit("the tests fail without any change")
        seconds = 5 + 3 * math.ceil(processor_seconds() - before)
        tried = killed = 0
        for module, changed in mutants(options.modules, options.seed):
            source = (tree / module).read_text()
            (tree / module).write_text(changed)
            if passes(tree, options.tests, seconds):
                lines = difflib.unified_diff(source.splitlines(), changed.splitlines(), module, n=1)
                print(*lines, sep="\n", flush=True)
            else:
                killed += 1
            (tree / module).write_text(source)
            tried += 1
            if tried == options.sample:
                break
    print(f"{killed} of {tried} killed")


if __name__ == "__main__":
    main()
