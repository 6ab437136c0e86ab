"""Edits of models: modes of functions, axes of the samples, slices that leave units out."""

from __future__ import annotations

import ast
import re

from symmetry.report.edits.source import Lines, Source, last_name

_LAYOUT = re.compile(r"make it with batch_first=True")
_FIRST = (
    *("RNN", "LSTM", "GRU", "MultiheadAttention", "Transformer"),
    *("TransformerEncoderLayer", "TransformerDecoderLayer"),
)
_CUT = re.compile(r"cuts (the gradient|a term of the loss) off")


def _mode_of_a_function(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Let a dropout follow the mode of its module."""
    if "training=self.training" not in text or not _has_self(source, statement):
        return None
    found = [c for c in source.calls(statement) if "dropout" in last_name(c.func)]
    if len(found) != 1 or len(found[0].args) > 2:
        return None
    given = {k.arg: k.value for k in found[0].keywords}
    if "training" in given:
        return source.replaced(given["training"], "self.training")
    whole = source.text(found[0])
    return source.replaced(found[0], f"{whole[:-1].rstrip().rstrip(',')}, training=self.training)")


def _has_self(source: Source, statement: ast.stmt) -> bool:
    scope = source.scope(statement)
    return (
        isinstance(scope, ast.FunctionDef)
        and scope.args.args[:1] != []
        and (scope.args.args[0].arg == "self")
    )


def _softmax_over_samples(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Let a softmax run over the last axis."""
    if "this softmax runs over axis" not in text:
        return None
    found = [c for c in source.calls(statement) if last_name(c.func).endswith("softmax")]
    if len(found) != 1:
        return None
    axes = [k.value for k in found[0].keywords if k.arg in ("dim", "axis")]
    axes += [a for a in found[0].args if isinstance(a, ast.Constant | ast.UnaryOp)]
    return source.replaced(axes[0], "-1") if axes else None


def _batch_first(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Make the layer with the samples in its first axis."""
    del statement
    if not _LAYOUT.search(text):
        return None
    layers = [c for name in _FIRST for c in source.calls(name=name)]
    layers = [c for c in layers if "batch_first" not in {k.arg for k in c.keywords}]
    if len(layers) != 1:
        return None
    whole = source.text(layers[0])
    return source.replaced(layers[0], f"{whole[:-1].rstrip().rstrip(',')}, batch_first=True)")


def _part_of_a_gradient(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Apply to a whole gradient what a slice applies to a part of it."""
    if not text.startswith("treats "):
        return None
    parts = [
        node
        for node in ast.walk(statement)
        if isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Slice)
        and last_name(node.value) == "grad"
    ]
    return source.replaced(parts[0], source.text(parts[0].value)) if len(parts) == 1 else None


def _cut_off(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Leave out what cuts a loss off from what is trained."""
    if not _CUT.search(text):
        return None
    cut = [
        call
        for name in ("detach", "item", "numpy")
        for call in source.calls(statement, name)
        if isinstance(call.func, ast.Attribute) and not call.args
    ]
    made = [c for n in ("tensor", "as_tensor") for c in source.calls(statement, n) if c.args]
    if len(made) == 1 and cut in ([], [made[0].args[0]]):  # a tensor is made, of a number perhaps
        return source.replaced(made[0], source.text(_bare(cut[0]) if cut else made[0].args[0]))
    if made or len(cut) != 1:
        return None
    return source.replaced(cut[0], source.text(_bare(cut[0])))


def _bare(call: ast.Call) -> ast.expr:
    """Return the object whose method is called."""
    assert isinstance(call.func, ast.Attribute)
    return call.func.value


CURES = (
    _mode_of_a_function,
    _softmax_over_samples,
    _batch_first,
    _part_of_a_gradient,
    _cut_off,
)
