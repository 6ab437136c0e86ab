"""Edits of models: modes, axes of the samples, masks, positions, precisions, parts left out."""

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
_LEFT = re.compile(r"(\w+) gives a row without its padding on the left other outputs")
_HALVES = ("bfloat16", "float16", "half")


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


def _positions(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Count the positions of a model of transformers from the first token behind the padding."""
    found = _LEFT.search(text)
    calls = [
        (call, keyword)
        for call in source.calls(statement)
        for keyword in call.keywords
        if keyword.arg == "attention_mask"
    ]
    if found is None or len(calls) != 1 or not _is_of(source, "transformers", found[1]):
        return None
    ((call, mask),) = calls
    named = {keyword.arg for keyword in call.keywords}
    if named & {None, "position_ids"} or isinstance(mask.value, ast.Call):
        return None
    name = source.text(mask.value)
    places = f"position_ids=({name}.cumsum(-1) - 1).clamp(min=0)"
    return source.replaced(mask.value, f"{name}, {places}")


def _is_of(source: Source, package: str, kind: str) -> bool:
    """Return whether a class is not the file's own, and the file imports this package."""
    nodes = [*ast.walk(source.tree)]
    own = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    modules |= {each.name for node in nodes if isinstance(node, ast.Import) for each in node.names}
    return kind not in own and package in {(name or "").partition(".")[0] for name in modules}


def _unread_mask(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Give an attention the mask that its function is given, and that nothing in it reads."""
    scope = source.scope(statement)
    calls = source.calls(statement, "scaled_dot_product_attention")
    causal = [k for call in calls for k in call.keywords if k.arg == "is_causal"]
    if "one document act on" not in text or len(causal) != 1:
        return None
    if not isinstance(scope, ast.FunctionDef):
        return None
    read = {node.id for node in ast.walk(scope) if isinstance(node, ast.Name)}
    given = [a.arg for a in scope.args.args if "mask" in a.arg and a.arg not in read]
    return source.replaced(causal[0], f"attn_mask={given[0]}") if len(given) == 1 else None


def _kept_in_float32(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Leave parameters in float32 that the only cast of the file makes 16 bits."""
    if "rounded away" not in text or " in float32" not in text:
        return None
    shown = [
        node
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and node.attr in _HALVES
        if not any(_is_autocast(each) for each in source.around(node))
    ]
    casts = [
        (call, node)
        for node in shown
        for call in source.around(node)
        if isinstance(call, ast.Call) and (call.func is node or last_name(call.func) == "to")
    ]
    if len(shown) != 1 or len(casts) != 1:
        return None
    ((call, node),) = casts
    if source.loops(call) or call.lineno > statement.lineno:
        return None
    whole = "float" if call.func is node else "float32"
    return source.replaced(node, f"{source.text(node.value)}.{whole}")


def _is_autocast(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and last_name(node.func) == "autocast"


def _with_its_noise(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Let a checkpoint draw the same random numbers again."""
    if "preserve_rng_state" not in text:
        return None
    for place in (statement, source.tree):  # the line may be one of the block that is checkpointed
        kept = [k for c in source.calls(place) for k in c.keywords if k.arg == "preserve_rng_state"]
        if len(kept) == 1:
            return source.replaced(kept[0].value, "True")
    return None


def _dropped(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Bind the result of a function that takes a tensor and returns it, with another backward."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if "is dropped at each of its" not in text or not isinstance(call, ast.Call):
        return None
    if last_name(call.func) != "apply" or not call.args or not isinstance(call.args[0], ast.Name):
        return None
    kind = call.func.value if isinstance(call.func, ast.Attribute) else call.func
    if not _hands_on_its_first(source, last_name(kind)):
        return None
    return source.replaced(call, f"{call.args[0].id} = {source.text(call)}")


def _hands_on_its_first(source: Source, name: str) -> bool:
    """Return whether the forward of a class of the file returns its first tensor."""
    forwards = [
        each
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and node.name == name
        for each in node.body
        if isinstance(each, ast.FunctionDef) and each.name == "forward"
    ]
    names = [argument.arg for each in forwards for argument in each.args.args]
    returned = [n.value for each in forwards for n in ast.walk(each) if isinstance(n, ast.Return)]
    if len(forwards) != 1 or len(returned) != 1:
        return False
    value = returned[0]
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):  # x.view_as(x), say
        value = value.func.value
    return isinstance(value, ast.Name) and names[1:2] == [value.id]  # behind the context


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
    _positions,
    _unread_mask,
    _kept_in_float32,
    _with_its_noise,
    _dropped,
)
