"""Steps in PyTorch with one fault each, and what is said of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symmetry.explanation.answer import ROUNDING
from tests.conftest import slow
from tests.explanation.steps import culprit, explained, run_script, start

REPEATED = "repeated alone: the same unequal result"
IN_FLOAT64 = "repeated alone in float64: the units are equal, up to the rounding of float64"


@pytest.fixture(autouse=True, scope="module")
def torch() -> Any:
    import torch

    return torch


def product(a, b):
    """Return a @ b by elementwise operations, which treat every entry alike."""
    total = a[:, :1] * b[:1]
    for k in range(1, len(b)):
        total = total + a[:, k : k + 1] * b[k : k + 1]
    return total


def same(tensor):
    return tensor


def step(x, y, w1, w2, lr, *, weights=same, hidden=same, g1=same, g2=same, loss=None):
    """Take one step by autograd; each function sees and may change what it is named after."""
    import torch

    x, y, w1, w2 = map(torch.from_numpy, (x, y, w1, w2))
    w1 = weights(w1)
    w1, w2 = w1.clone().requires_grad_(), w2.clone().requires_grad_()
    layer = hidden(torch.sigmoid(product(x, w1[1:]) + w1[0]))
    logits = w2[0] + product(layer, w2[1:])
    exponentials = torch.exp(logits - 0)
    total = sum(exponentials[:, k] for k in range(y.shape[1]))
    entropy = sum(y[:, k] * (torch.log(total) - logits[:, k]) for k in range(y.shape[1]))
    value = sum(entropy[k] for k in range(len(y))) / len(y)
    if loss is not None:
        value = value + loss(layer)
    value.backward()
    return (w1 - lr * g1(w1.grad)).detach().numpy(), (w2 - lr * g2(w2.grad)).detach().numpy()


def faulty(**changes):
    def faulty_step(x, y, w1, w2, lr):
        return step(x, y, w1, w2, lr, **changes)

    return faulty_step


def small():
    return start(n=4, i=2, c=3, hidden=6)


def changed(function):
    def change(tensor):
        copy = tensor.clone()
        function(copy)
        return copy

    return change


def add_to_one_unit(w1):
    w1[:, 3] += 1e-6


def half_precision(g2):
    g2[-2:] = g2[-2:].half().float()


def dropout(hidden):
    import torch

    return torch.nn.functional.dropout(hidden, 0.5)


def cumulative(hidden):
    return hidden + 1e-3 * hidden.cumsum(1)


def by_index(g2):
    g2[[2, 5]] *= 2


@pytest.mark.parametrize(
    ("faulty_step", "name", "groups"),
    [
        slow(faulty(weights=changed(add_to_one_unit)), "aten.add_", "unit 3 alone"),
        slow(faulty(g2=changed(half_precision)), "aten._to_copy", "the last 2 of 6"),
        (faulty(hidden=dropout), "aten.bernoulli_", None),
        (faulty(hidden=cumulative), "aten.cumsum", "all 6 differ"),
        (faulty(g2=changed(by_index)), "aten.mul_", None),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_operation_is_named_and_its_script_shows_it(faulty_step, name, groups, tmp_path):
    found = culprit(faulty_step, small())
    assert found.operation == name
    assert found.file == "tests/explanation/test_torch.py"
    assert groups in (None, found.difference.groups)
    assert found.script is not None
    assert "import torch" in found.script.text
    assert not run_script(found, tmp_path).endswith(("[]", "False", ": 0"))


def test_the_same_step_without_a_fault():
    assert explained(step, small()).outcome == "nothing split"


def test_dropout_is_a_random_mask():
    found = culprit(faulty(hidden=dropout), small())
    assert "a random mask" in found.cause


def test_the_largest_unit_is_told_in_the_backward_pass():
    found = culprit(faulty(loss=lambda hidden: 1e-2 * hidden.max(1)[0].sum()), small())
    assert found.operation == "aten.scatter"
    assert found.phase == "backward"
    assert found.difference.groups == "the first 1 of 6"


def largest_only(hidden):
    best = hidden.topk(3, dim=1)
    return hidden.new_zeros(hidden.shape).scatter(1, best.indices, best.values)


def test_what_chooses_between_equal_units_is_named():
    found = explained(faulty(hidden=largest_only), small()).culprits[0]
    assert found.operation == "aten.topk"
    assert found.cause == "it chooses between equal units"
    assert found.source == "best = hidden.topk(3, dim=1)"


def test_units_that_are_multiplied_differently_by_the_optimiser(torch):
    class InTwoGroups:
        """Keeps a module and an optimiser; the last unit has a group of its own."""

        def __init__(self):
            self.units = None

        def __call__(self, x, y, w1, w2, lr):
            if self.units is None:
                self.units = [torch.nn.Parameter(torch.empty(len(w1))) for _ in w1.T]
                groups = [{"params": self.units[:-1]}, {"params": self.units[-1:], "lr": 2 * lr}]
                self.optimiser = torch.optim.SGD(groups, lr=lr)
            with torch.no_grad():
                for unit, column in zip(self.units, torch.from_numpy(w1).T, strict=True):
                    unit.copy_(column)
            for unit in self.units:
                unit.grad = torch.ones_like(unit)
            self.optimiser.step()
            return torch.stack([unit.detach() for unit in self.units], 1).numpy(), w2

    found = culprit(InTwoGroups, small())
    assert found.phase == "optimizer"
    assert found.difference.groups == "the last 1 of 6"


@pytest.mark.slow
def test_the_built_in_trainer_names_the_product_of_its_gradient(torch):
    """Whether PyTorch's product does this depends on the machine; here it does for some sizes."""
    left = torch.full((200, 2), 0.5).T.contiguous().T
    products = torch.mm(left, torch.linspace(-1, 1, 10 * 2).reshape(2, 10))
    del products
    from symmetry.steps.explain import explain_step
    from symmetry.targets.resolve import resolve

    explanation = explain_step(resolve("torch"), start(n=1000, i=3, c=10, hidden=200))
    if explanation.outcome == "nothing split":
        assert explanation.culprits == ()  # PyTorch treats all units alike on this machine
        return
    found = explanation.culprits[0]
    assert found.operation in ("aten.mm", "aten.addmm", "aten.sum")
    assert found.file == "symmetry/steps/builtin/torch.py"
    assert REPEATED in found.evidence
    assert found.script is not None
    assert found.script.text.startswith(f"# {found.operation}")


def test_in_place_operations_on_shared_memory(torch):
    """The arrays given are shared with PyTorch: what it does to them is seen in NumPy as well."""

    def shared(x, y, w1, w2, lr):
        torch.from_numpy(w2)[2:3].add_(1e-3)
        return w1, np.multiply(w2, 1)

    found = culprit(shared, small())
    assert found.operation == "aten.add_"
    assert found.difference.groups == "unit 1 alone"


def test_several_tensors_at_once(torch):
    def foreach(x, y, w1, w2, lr):
        tensors = [torch.from_numpy(w1), torch.from_numpy(w2)]
        torch._foreach_add_([*tensors, tensors[1][3]], 0.5)
        return w1, w2

    found = culprit(foreach, small())
    assert found.operation == "aten._foreach_add_"
    assert found.difference.groups == "unit 2 alone"


@pytest.mark.slow
def test_nothing_stays_observed(torch):
    culprit(faulty(hidden=dropout), small())
    state = torch.get_rng_state()
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None
    culprit(faulty(hidden=dropout), small())
    assert (torch.get_rng_state() == state).all()


def test_a_split_that_only_the_compiled_step_has(torch):
    def lopsided(graph, _):
        def run(*arguments):
            (result,) = graph(*arguments)
            result = result.clone()
            result[-1] += 1
            return (result,)

        return run

    compiled = torch.compile(lambda w2: w2 + 1, backend=lopsided)

    def compiling(x, y, w1, w2, lr):
        return w1, compiled(torch.from_numpy(w2)).numpy()

    assert explained(compiling, small()).outcome == "compiled only"


def test_a_sum_that_is_rounded_by_much_is_no_jump(torch):
    def shifted(gradient):
        """Add a large number to the last unit, and take it away: in float64 nothing is left."""
        large = torch.zeros(gradient.shape[1], dtype=gradient.dtype)
        large[-1] = 1e4 * gradient.abs().max()
        return (gradient + large) - large

    torch.library.define("symmetry_tests::shifted", "(Tensor gradient) -> Tensor")
    torch.library.impl("symmetry_tests::shifted", "cpu", shifted)
    operation = torch.ops.symmetry_tests.shifted

    explanation = explained(faulty(g2=lambda g2: operation(g2.T).T), small())
    (found,) = explanation.culprits
    assert explanation.outcome == "rounding"
    assert found.operation == "symmetry_tests.shifted"
    assert found.difference.relative > 1e-4
    assert found.difference.size == ROUNDING
    assert IN_FLOAT64 in found.evidence
