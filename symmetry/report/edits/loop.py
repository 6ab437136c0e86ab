"""Edits of the loop around the updates: modes, copies, seeds, attributes."""

from __future__ import annotations

import ast
import re

from symmetry.report.edits.source import Lines, Source, calls_of, last_name, results_of

_TRAINS = re.compile(r"(\S+):(\d+) trains ")
_NO_ATTRIBUTE = re.compile(r"has no attribute (\w+): .* Set (\w+)\.$", re.DOTALL)
_PREFIX = re.compile(r"but for a prefix, as (\S+) for (\S+?),? ")
_SEEDS = ("manual_seed", "seed", "seed_everything", "set_seed", "manual_seed_all", "PRNGKey", "key")


def _never_undone(source: Source, switch: ast.stmt, text: str) -> Lines | None:
    """Call ``train()`` with each batch of the loop that trains."""
    trains = _TRAINS.search(text)
    if trains is None:
        return None
    training = source.statement(int(trains[2]))
    model = _switched(source, switch)
    if training is None or not model or not source.loops(training):
        return None
    if source.scope(training) is not source.scope(switch):
        names = _called_models(source, training)
        if len(names) != 1:
            return None
        (model,) = names
    first, *_ = getattr(source.loops(training)[0], "body", [])
    return source.inserted(first, f"{model}.train()")


def _trained_in_evaluation_mode(source: Source, call: ast.stmt, text: str) -> Lines | None:
    """Call ``train()`` before each batch of a model that is never in training mode."""
    names = _called_models(source, call)
    if "is trained in evaluation mode" not in text or len(names) != 1 or not source.loops(call):
        return None
    (model,) = names
    first, *_ = getattr(source.loops(call)[0], "body", [])
    return source.inserted(first, f"{model}.train()")


def _switched(source: Source, statement: ast.stmt) -> str:
    """Return the model whose mode a statement switches, as it is written."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
        return source.text(call.func.value)
    return ""


def _called_models(source: Source, statement: ast.stmt) -> set[str]:
    """Return what a statement calls that is no function of a module, nor defined in the file."""
    defined = {n.name for n in ast.walk(source.tree) if isinstance(n, ast.FunctionDef)}
    losses = {
        target.id
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Assign) and _is_loss(node.value)
        for each in node.targets
        for target in ast.walk(each)
        if isinstance(target, ast.Name)
    }
    builtin = {"range", "zip", "enumerate", "len", "print", "float", "int", "sum", "max", "min"}
    names = {call.func.id for call in source.calls(statement) if isinstance(call.func, ast.Name)}
    return names - defined - source.imports() - losses - builtin - {"criterion", "loss_fn"}


def _is_loss(value: ast.AST) -> bool:
    return isinstance(value, ast.Call) and last_name(value.func).endswith("Loss")


def _in_training_mode(source: Source, call: ast.stmt, text: str) -> Lines | None:
    """Evaluate in evaluation mode, and go back to training mode behind it."""
    names = _called_models(source, call)
    if "is evaluated in training mode" not in text or len(names) != 1:
        return None
    (model,) = names
    if not _named_in(source, call, model):
        return None
    outer = call
    for around in source.around(call):
        own = isinstance(around, ast.stmt) and isinstance(around, ast.For | ast.With | ast.While)
        if not own or any(source.calls(around, name) for name in ("backward", "step")):
            break
        assert isinstance(around, ast.stmt)
        outer = around
    if any(isinstance(node, ast.Return | ast.Yield) for node in ast.walk(outer)):
        return None
    lines = source.inserted(outer, f"{model}.train()", behind=True)
    return Source(lines).inserted(_same(Source(lines), outer), f"{model}.eval()")


def _named_in(source: Source, call: ast.stmt, model: str) -> bool:
    """Return whether a name stands for a model where it is called, and for no batch of a loop."""
    loops = source.loops(call)
    targets = {name for each in loops for name in _stored(getattr(each, "target", each))}
    return model not in targets or any(isinstance(each, ast.While) for each in loops)


def _stored(node: ast.AST) -> set[str]:
    """Return the names that a node gives values to."""
    names = (each for each in ast.walk(node) if isinstance(each, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Store)}


def _same(source: Source, statement: ast.stmt) -> ast.stmt:
    """Return the statement at the same place of a text that is changed only behind it."""
    found = [
        node
        for node in ast.walk(source.tree)
        if isinstance(node, ast.stmt)
        and (node.lineno, node.end_lineno) == (statement.lineno, statement.end_lineno)
    ]
    return found[0]


def _no_copy(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Copy the tensors that ``state_dict()`` returns."""
    if "are the model's own" not in text:
        return None
    states = source.calls(statement, "state_dict")
    if len(states) != 1 or states[0].args:
        return None
    state = source.text(states[0])
    around = source.parents[states[0]]
    if isinstance(around, ast.Call) and last_name(around.func) in ("copy", "dict"):
        return source.replaced(around, _cloned(state))
    return source.replaced(states[0], _cloned(state))


def _cloned(state: str) -> str:
    return f"{{name: value.clone() for name, value in {state}.items()}}"


def _seeded_in_the_loop(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Move a seed before the loop; leave a call of a function out that has seeded before."""
    del statement  # it may be the loader whose order repeats
    if "eed once, before the loop" not in text and "eed random numbers once" not in text:
        return None
    seeds = [_statement_of(source, call) for name in _SEEDS for call in source.calls(name=name)]
    inside = [s for s in seeds if s is not None and source.loops(s)]
    if not inside:
        return _begun_by_a_seed(source, seeds) or _helper_in_the_loop(source, seeds)
    if len(inside) != 1 or not isinstance(inside[0], ast.Expr):
        return None
    seed, outside = inside[0], [s for s in seeds if s is not None and not source.loops(s)]
    if any(ast.dump(each) == ast.dump(seed) for each in outside):
        return source.removed(seed)
    loops = source.loops(seed)
    targets = {name for each in loops for name in _stored(each)}
    if any(isinstance(n, ast.Name) and n.id in targets for n in ast.walk(seed)):
        return None
    return source.moved(seed, loops[-1])


def _begun_by_a_seed(source: Source, seeds: list[ast.stmt | None]) -> Lines | None:
    """Move a seed, with which the function of an epoch begins, before the loop that calls it."""
    only = [each for each in seeds if each is not None]
    scope = source.scope(only[0]) if len(only) == 1 else None
    if not isinstance(scope, ast.FunctionDef) or _trains_not(source, scope):
        return None
    calls = [_statement_of(source, call) for call in source.calls(name=scope.name)]
    outer = [source.loops(s)[-1] for s in calls if s is not None and source.loops(s)]
    arguments = {argument.arg for argument in scope.args.args}
    read = {n.id for n in ast.walk(only[0]) if isinstance(n, ast.Name)}
    if len(calls) != 1 or not outer or read & arguments:
        return None
    return source.moved(only[0], outer[0])


def _trains_not(source: Source, scope: ast.FunctionDef) -> bool:
    return not source.calls(scope, "backward")


def _helper_in_the_loop(source: Source, seeds: list[ast.stmt | None]) -> Lines | None:
    """Leave out the call in a loop of a function that only seeds, if a seed comes before, too."""
    scopes = {source.scope(each) for each in seeds if each is not None}
    functions = (each for each in scopes if isinstance(each, ast.FunctionDef))
    helpers = [each for each in functions if _trains_not(source, each)]
    if len(helpers) != 1:
        return None
    calls = [_statement_of(source, call) for call in source.calls(name=helpers[0].name)]
    inside = [s for s in calls if isinstance(s, ast.Expr) and _is_repeated(source, s)]
    before = len(calls) > 1 or source.tree in scopes
    if len(inside) == 1 and before:
        return source.removed(inside[0])
    return None


def _is_repeated(source: Source, statement: ast.stmt) -> bool:
    """Return whether a loop repeats a statement, or the function that it is in, which trains."""
    scope = source.scope(statement)
    if source.loops(statement) or not isinstance(scope, ast.FunctionDef):
        return bool(source.loops(statement))
    return not _trains_not(source, scope) and any(map(source.loops, source.calls(name=scope.name)))


def _statement_of(source: Source, node: ast.AST) -> ast.stmt | None:
    return next((each for each in source.around(node) if isinstance(each, ast.stmt)), None)


def _epoch_not_set(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Set the epoch of a sampler at the beginning of each."""
    if "set_epoch(epoch)" not in text or not isinstance(statement, ast.Assign):
        return None
    keywords = {k.arg: k.value for call in source.calls(statement) for k in call.keywords}
    loader, sampler = statement.targets[0], keywords.get("sampler")
    if not isinstance(loader, ast.Name) or not isinstance(sampler, ast.Name):
        return None
    reading = [
        node
        for node in ast.walk(source.tree)
        if isinstance(node, ast.For)
        and any(isinstance(n, ast.Name) and n.id == loader.id for n in ast.walk(node.iter))
    ]
    if len(reading) != 1:
        return None
    outer = source.loops(reading[0])
    if not outer or not isinstance(outer[-1], ast.For):
        return None
    epoch, first = outer[-1].target, outer[-1].body[0]
    if not isinstance(epoch, ast.Name):
        return None
    name = epoch.id if epoch.id != "_" else "epoch"
    lines = source.inserted(first, f"{sampler.id}.set_epoch({name})")
    changed = Source(lines)
    loop = next(
        n for n in ast.walk(changed.tree) if isinstance(n, ast.For) and n.lineno == outer[-1].lineno
    )
    return changed.replaced(loop.target, name)


def _misspelt(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Set the attribute that is there."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return None
    target = statement.targets[0]
    if not isinstance(target, ast.Attribute):
        return None
    owner, value = source.text(target.value), source.text(statement.value)
    if "Call requires_grad_(" in text:
        return source.replaced(statement, f"{owner}.requires_grad_({value})")
    if "each group of optimizer.param_groups" in text:
        indent = " " * statement.col_offset
        new = f'for group in {owner}.param_groups:\n{indent}    group["{target.attr}"] = {value}'
        return source.replaced(statement, new)
    named = _NO_ATTRIBUTE.search(text)
    if named is None or target.attr != named[1]:
        return None
    return source.replaced(target, f"{owner}.{named[2]}")


def _prefixed(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Rename the keys of a state that have another prefix than the model's."""
    named, loads = _PREFIX.search(text), source.calls(statement, "load_state_dict")
    if named is None or len(loads) != 1 or not loads[0].args:
        return None
    theirs, ours = named[1], named[2]
    state = source.text(loads[0].args[0])
    if theirs.endswith(ours):
        name = f'name.removeprefix("{theirs.removesuffix(ours)}")'
    elif ours.endswith(theirs):
        name = f'"{ours.removesuffix(theirs)}" + name'
    else:
        return None
    return source.replaced(
        loads[0].args[0], f"{{{name}: value for name, value in {state}.items()}}"
    )


def _decay_exchanged(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Exchange the decay of an average and 1 - decay."""
    if "exchange the decay and 1 - decay" not in text:
        return None
    rests = [
        rest
        for rest in results_of(statement, ast.Sub)
        if isinstance(rest.left, ast.Constant) and rest.left.value == 1
    ]
    decays = [
        node
        for node in ast.walk(statement)
        if isinstance(node, ast.expr)
        and len(rests) == 1
        and ast.dump(node) == ast.dump(rests[0].right)
        and rests[0] not in source.around(node)
    ]
    if len(decays) != 1:
        return None
    texts = {rests[0]: source.text(decays[0]), decays[0]: source.text(rests[0])}
    first, last = sorted(texts, key=lambda node: (node.lineno, node.col_offset))
    changed = Source(source.replaced(last, texts[last]))  # the first one stays at its place
    here = ast.dump(first, include_attributes=True)
    nodes = ast.walk(changed.tree)
    again = next(node for node in nodes if ast.dump(node, include_attributes=True) == here)
    return changed.replaced(again, texts[first])


def _not_shuffled(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Let a loader shuffle."""
    loaders = source.calls(statement, "DataLoader")
    if "shuffle=True" not in text or len(loaders) != 1:
        return None
    given = {k.arg: k.value for k in loaders[0].keywords}
    if "shuffle" in given:
        return source.replaced(given["shuffle"], "True")
    last = source.text(loaders[0])
    return source.replaced(loaders[0], f"{last[:-1].rstrip().rstrip(',')}, shuffle=True)")


def _stepped_apart(source: Source, statement: ast.stmt, text: str) -> Lines | None:
    """Move the step of a scheduler to the step of the optimiser."""
    if "Step it where the optimiser steps" not in text or not source.loops(statement):
        return None
    loop = source.loops(statement)[0]
    steps = [
        s
        for inner in ast.walk(loop)
        if isinstance(inner, ast.For | ast.While | ast.If) and inner is not loop
        for s in inner.body
        if s is not statement and calls_of(s, "step")
    ]
    return source.moved(statement, steps[0], behind=True) if len(steps) == 1 else None


CURES = (
    _never_undone,
    _trained_in_evaluation_mode,
    _in_training_mode,
    _no_copy,
    _seeded_in_the_loop,
    _epoch_not_set,
    _misspelt,
    _prefixed,
    _decay_exchanged,
    _not_shuffled,
    _stepped_apart,
)
