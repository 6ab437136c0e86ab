"""Edits of losses that are given the wrong kind or shape of inputs."""

from __future__ import annotations

import ast
import re

from symmetry.report.edits.source import Lines, Source, last_name, results_of

_COLUMN = re.compile(r"of outputs of shape \((\d+), 1\) and data of shape \((\d+),\)")
_ROW = re.compile(r"of outputs of shape \((\d+),\) and data of shape \((\d+), 1\)")
_GIVEN_AGAIN = ("applies softmax to them again", "applies a sigmoid to it")
_NAMES_OF_LOSSES = re.compile("loss|criterion|cost|entropy|objective")
_LOSSES = "MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "BCEWithLogitsLoss", "BCELoss"
_SIMPLE = (ast.Name, ast.Call, ast.Attribute, ast.Subscript)
_MODULES = {"softmax": "Softmax", "sigmoid": "Sigmoid", "log_softmax": "LogSoftmax"}


def _activated_twice(source: Source, loss: ast.stmt, text: str) -> Lines | None:
    """Leave the activation out that the loss applies as well."""
    if not any(sign in text for sign in _GIVEN_AGAIN) and "Leave it out" not in text:
        return None
    name = "sigmoid" if "sigmoid" in text else "softmax"
    found = _activation(source, loss, name)
    if found is None:
        return _without_module(source, _MODULES[name])
    return source.replaced(found, _operand(source, found))


def _no_logarithm(source: Source, loss: ast.stmt, text: str) -> Lines | None:
    """Take the logarithm of the probabilities."""
    if "defined on their logarithms" not in text:
        return None
    found = _activation(source, loss, "softmax")
    if found is None or not isinstance(found.func, ast.Attribute | ast.Name):
        return None
    new = source.text(found.func).removesuffix("softmax") + "log_softmax"
    return source.replaced(found.func, new)


def _not_normalised(source: Source, loss: ast.stmt, text: str) -> Lines | None:
    """Take the loss that normalises."""
    if "nll_loss is given the output of a linear layer" not in text:
        return None
    found = [*source.calls(loss, "nll_loss"), *source.calls(name="NLLLoss")]
    if len(found) != 1:
        return None
    old = last_name(found[0].func)
    new = "cross_entropy" if old == "nll_loss" else "CrossEntropyLoss"
    return source.replaced(found[0].func, source.text(found[0].func).removesuffix(old) + new)


def _activation(source: Source, loss: ast.stmt, name: str) -> ast.Call | None:
    """Return the call of an activation whose result the loss is given, if there is only one.

    It stands in the loss, in an assignment of what the loss is given, or in a ``forward``.
    """
    modules = _attributes(source, _MODULES[name])
    every = [c for c in source.calls() if last_name(c.func) == name or last_name(c.func) in modules]
    every = [c for c in every if not (isinstance(c.func, ast.Name) and c.func.id == _MODULES[name])]
    read = {n.id for n in ast.walk(loss) if isinstance(n, ast.Name)}
    scope = source.scope(loss)
    for candidates in (
        [c for c in every if loss in source.around(c)],
        [c for c in every if source.scope(c) is scope and _assigned(source, c) & read],
        [c for c in every if getattr(source.scope(c), "name", "") == "forward"],
        every,
    ):
        if candidates:
            return candidates[0] if len(candidates) == 1 else None
    return None


def _assigned(source: Source, call: ast.Call) -> set[str]:
    """Return the names that a call is assigned to."""
    statement = next(each for each in source.around(call) if isinstance(each, ast.stmt))
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return {n.id for each in targets for n in ast.walk(each) if isinstance(n, ast.Name)}


def _attributes(source: Source, kind: str) -> set[str]:
    """Return the attributes that hold a module of this class: ``softmax`` of ``self.softmax``."""
    return {
        last_name(target)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and last_name(node.value.func) == kind
        for target in node.targets
    }


def _operand(source: Source, call: ast.Call) -> str:
    """Return what an activation is applied to: its argument, or the object of the method."""
    if isinstance(call.func, ast.Attribute) and not _is_module(source, call.func.value):
        return source.text(call.func.value)
    return source.text(call.args[0]) if call.args else source.text(call.keywords[0].value)


def _is_module(source: Source, node: ast.AST) -> bool:
    """Return whether a function is one of a module that is imported, or of ``self``."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in {"self", *source.imports()}


def _without_module(source: Source, kind: str) -> Lines | None:
    """Leave a module out of the sequence that ends with it."""
    for sequence in source.calls(name="Sequential"):
        if sequence.args and isinstance(sequence.args[-1], ast.Call) and len(sequence.args) > 1:
            last, before = sequence.args[-1], sequence.args[-2]
            if last_name(last.func) == kind:
                return source.cut(before, last)
    return None


def _broadcast(source: Source, loss: ast.stmt, text: str) -> Lines | None:
    """Take the axis of length 1 away from what has it."""
    column, row = _COLUMN.search(text), _ROW.search(text)
    pair = _pair(source, loss)
    if pair is None or not (column or row):
        return None
    outputs, data = pair
    wrong = outputs if column else data
    inner = source.text(wrong)
    whole = inner if isinstance(wrong, _SIMPLE) else f"({inner})"
    return source.replaced(wrong, f"{whole}.squeeze(-1)")


def _pair(source: Source, loss: ast.stmt) -> tuple[ast.expr, ast.expr] | None:
    """Return the outputs and the data that a statement compares."""
    pairs = [
        (call.args[0], call.args[1])
        for call in source.calls(loss)
        if len(call.args) == 2 and _names_a_loss(source, call)
    ]
    pairs = [p for p in pairs if not any(isinstance(each, ast.Starred) for each in p)]
    calls = [p for p in pairs if not any(source.calls(each, "mean") for each in p)]
    differences = [(node.left, node.right) for node in results_of(loss, ast.Sub)]
    found = calls or differences
    if len(found) != 1:
        return None
    one, other = found[0]
    data = {n.id for each in source.loops(loss) for n in _targets(each)}
    if (
        isinstance(one, ast.Name)
        and one.id in data
        and not (isinstance(other, ast.Name) and other.id in data)
    ):
        return other, one
    return one, other


def _names_a_loss(source: Source, call: ast.Call) -> bool:
    """Return whether a call is one of a loss, by its name or by what the name is given."""
    made = {name for kind in _LOSSES for name in _attributes(source, kind)}
    name = last_name(call.func)
    return name in made or bool(_NAMES_OF_LOSSES.search(name.lower()))


def _targets(loop: ast.stmt) -> list[ast.Name]:
    target = getattr(loop, "target", None)
    return [n for n in ast.walk(target) if isinstance(n, ast.Name)] if target is not None else []


def _not_shifted(source: Source, loss: ast.stmt, text: str) -> Lines | None:
    """Compare the outputs at each place with the token behind it."""
    if "shift the labels by one" not in text:
        return None
    calls = [c for c in source.calls(loss) if last_name(c.func) in ("cross_entropy", "criterion")]
    if len(calls) != 1 or len(calls[0].args) < 2:
        return None
    scores, labels = calls[0].args[:2]
    new_labels = _shortened(source, labels, "[:, 1:]")
    new_scores = _shortened(source, scores, "[:, :-1]")
    if not (new_labels and new_scores):
        return None
    changed = Source(source.replaced(labels, new_labels))
    again = next(n for n in ast.walk(changed.tree) if _at(n) == _at(scores))
    return changed.replaced(again, new_scores)


def _shortened(source: Source, flat: ast.expr, part: str) -> str:
    """Return a flattened tensor of which only a part of the places is taken; empty if unknown."""
    if not isinstance(flat, ast.Call) or not isinstance(flat.func, ast.Attribute):
        return ""
    kind, whole = flat.func.attr, source.text(flat.func.value)
    words = ", ".join(map(source.text, flat.args))
    if kind not in ("view", "reshape", "flatten", "transpose", "permute"):
        return ""
    kind = "reshape" if kind == "view" else kind
    return f"{whole}{part}.{kind}({words})"


def _mean_over_hidden(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Divide the sum of a product with a mask by the number of places that the mask keeps."""
    if "a product with a mask is averaged over all places" not in text:
        return None
    reduced = [
        (call, call.func, call.func.value)
        for name in ("mean", "sum")
        for call in source.calls(statement, name)
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.BinOp)
        and isinstance(call.func.value.op, ast.Mult)
    ]
    if len(reduced) != 1:
        return None
    ((call, function, product),) = reduced
    factors = sorted((product.left, product.right), key=lambda each: "mask" in source.text(each))
    other, mask = map(source.text, factors)
    plain = (ast.Name, ast.Attribute, ast.Subscript, ast.Call)  # without brackets
    if "mask" in other or "mask" not in mask or not all(isinstance(f, plain) for f in factors):
        return None
    given = ", ".join(map(source.text, [*call.args, *call.keywords]))
    number = f"{mask}.expand_as({other}).sum({given})"
    if function.attr == "mean":
        return source.replaced(call, f"(({other} * {mask}).sum({given}) / {number})")
    division = source.parents[call]
    if (
        isinstance(division, ast.BinOp)
        and isinstance(division.op, ast.Div)
        and division.left is call
    ):
        return source.replaced(division.right, number)
    return None


def _at(node: ast.AST) -> tuple[int, ...]:
    names = "lineno", "col_offset", "end_lineno", "end_col_offset"
    return tuple(getattr(node, name, -1) for name in names)


CURES = (
    _activated_twice,
    _no_logarithm,
    _not_normalised,
    _broadcast,
    _not_shifted,
    _mean_over_hidden,
)
