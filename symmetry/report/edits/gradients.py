"""Edits of loops whose gradients are cleared, clipped or read in the wrong order."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from symmetry.report.edits.source import Lines, Source, calls_of, first_of, last_name, results_of

_GENERATORS = ("parameters", "filter", "map", "chain")  # functions that return one
_SUM = re.compile(r"sums the gradients of (\d+) batches, .* losses \((\S+):(\d+)\)", re.DOTALL)


def _clipped_late(source: Source, clip: ast.stmt, text: str) -> Lines | None:
    """Move clipping before the step that it follows."""
    if "clipped after step()" not in text:
        return None
    step = first_of(source.siblings(clip, -1), lambda s: calls_of(s, "step"))
    return None if step is None else source.moved(clip, step)


def _clipped_early(source: Source, clip: ast.stmt, text: str) -> Lines | None:
    """Move clipping behind the backward that it comes before."""
    if "no parameter has a gradient yet" not in text:
        return None
    backward = first_of(source.siblings(clip, 1), lambda s: calls_of(s, "backward"))
    return None if backward is None else source.moved(clip, backward, behind=True)


def _cleared_before_the_step(source: Source, backward: ast.stmt, text: str) -> Lines | None:
    """Move ``zero_grad()`` before the backward whose gradients it clears."""
    if "cleared" not in text or not calls_of(backward, "backward"):
        return None
    between = list[ast.stmt]()
    for statement in source.siblings(backward, 1):
        if calls_of(statement, "step"):
            clears = [s for s in between if _only_calls(s, "zero_grad")]
            return source.moved(clears[0], backward) if len(clears) == 1 else None
        between.append(statement)
    return None


def _cleared_with_each_piece(source: Source, backward: ast.stmt, text: str) -> Lines | None:
    """Move ``zero_grad()`` behind a step that comes after several backwards."""
    if "cleared" not in text or not calls_of(backward, "backward"):
        return None
    clear = first_of(source.siblings(backward, -1), lambda s: _only_calls(s, "zero_grad"))
    steps = [s for s in _guarded(source, backward) if calls_of(s, "step")]
    if clear is None or len(steps) != 1:
        return None
    return source.moved(clear, steps[0], behind=True)


def _guarded(source: Source, statement: ast.stmt) -> Iterator[ast.stmt]:
    """Yield the statements under an ``if`` behind a statement."""
    for other in source.siblings(statement, 1):
        if isinstance(other, ast.If):
            yield from other.body


def _never_cleared(source: Source, step: ast.stmt, text: str) -> Lines | None:
    """Clear the gradients of an optimiser before the first backward of its update."""
    optimizer = _stepped(source, step)
    if "zero_grad() is missing" not in text or not optimizer:
        return None
    first = None
    for statement in source.siblings(step, -1):
        if calls_of(statement, "step"):
            break
        if calls_of(statement, "backward"):
            first = statement
    clear = f"{optimizer}.zero_grad()"
    if first is None:
        return source.inserted(step, clear, behind=True)
    return source.inserted(first, clear)


def _used_up(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Make a list of the generator that a statement reads for the second time."""
    if "used up before" not in text:
        return None
    read = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    values = [
        node.value
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in read
        and source.scope(node) is source.scope(statement)
    ]
    made = [value for value in values if _is_generator(value)]
    return source.replaced(made[0], f"list({source.text(made[0])})") if len(made) == 1 else None


def _not_divided(source: Source, step: ast.stmt, text: str) -> Lines | None:
    """Divide the losses of an update by their number."""
    found = _SUM.search(text)
    backward = source.statement(int(found[3])) if found else None
    calls = [] if backward is None else source.calls(backward, "backward")
    if not found or backward is None or len(calls) != 1 or not source.loops(backward):
        return None
    if source.scope(step) is not source.scope(backward):
        return None
    call = calls[0]
    if not isinstance(call.func, ast.Attribute) or call.args or call.keywords:
        return None
    loss = call.func.value
    if isinstance(loss, ast.Call) and last_name(loss.func) == "scale" and len(loss.args) == 1:
        loss = loss.args[0]
    if not isinstance(loss, ast.Name):
        return None
    number = _pieces(source, source.loops(backward)[0]) or found[1]
    inside = loss is not call.func.value  # the brackets of scale() are there
    divided = f"{loss.id} / {number}"
    return source.replaced(loss, divided if inside else f"({divided})")


def _divided_twice(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Leave out one of two divisions of a loss by the number of its pieces."""
    if "divided by their number twice" not in text:
        return None
    if isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Div):
        return source.removed(statement)
    divisions = [d for d in results_of(statement, ast.Div) if isinstance(d.left, ast.Name)]
    if len(divisions) != 1:
        return None
    loss = source.text(divisions[0].left)
    if isinstance(statement, ast.Assign) and source.text(statement.targets[0]) == loss:
        return source.removed(statement)
    is_last = calls_of(statement, "backward")
    return source.replaced(divisions[0], loss) if is_last else None


def _pieces(source: Source, loop: ast.stmt) -> str:
    """Return the number of batches in an update, as a loop has it; empty without one."""
    every = [
        source.text(test.left.right)
        for branch in ast.walk(loop)
        if isinstance(branch, ast.If) and any(calls_of(s, "step") for s in branch.body)
        for test in ast.walk(branch.test)
        if isinstance(test, ast.Compare)
        and isinstance(test.left, ast.BinOp)
        and isinstance(test.left.op, ast.Mod)
    ]
    if len(every) == 1:
        return every[0]
    split = [
        node
        for node in ast.walk(source.tree)
        if isinstance(loop, ast.For)
        and isinstance(loop.iter, ast.Name)
        and isinstance(node, ast.Assign)
        and source.text(node.targets[0]) == loop.iter.id
        and source.scope(node) is source.scope(loop)
        and (source.calls(node, "split") or source.calls(node, "chunk"))
    ]
    return f"len({source.text(split[0].targets[0])})" if len(split) == 1 and not every else ""


def _is_generator(value: ast.expr) -> bool:
    named = isinstance(value, ast.Call) and last_name(value.func) in _GENERATORS
    return named or isinstance(value, ast.GeneratorExp)


def _stepped(source: Source, statement: ast.stmt) -> str:
    """Return the name of the optimiser that a statement steps, as it is written."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return ""
    if call.func.attr != "step":
        return ""
    return source.text(call.args[0] if call.args else call.func.value)


def _only_calls(statement: ast.stmt, name: str) -> bool:
    """Return whether a statement is a call of this method, and nothing else."""
    return isinstance(statement, ast.Expr) and calls_of(statement, name)


CURES = (
    _clipped_late,
    _clipped_early,
    _cleared_before_the_step,
    _cleared_with_each_piece,
    _never_cleared,
    _used_up,
    _not_divided,
    _divided_twice,
)
