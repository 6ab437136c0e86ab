from __future__ import annotations

from collections import OrderedDict, namedtuple
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses import FakeTensorMode
from torch.utils._pytree import tree_leaves

from symmetry.torch.watch.operations import Observer, Operation, Recorder, tensors_in

Pair = namedtuple("Pair", "a b")
LEAVES = st.sampled_from([1, 2.5, True, "text", None, torch.float32, torch.Size([2]), object()])
VALUES = st.recursive(
    LEAVES | st.builds(torch.zeros, st.integers(0, 3)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.builds(Pair, inner, inner)
        | st.dictionaries(st.sampled_from("abc"), inner)
        | st.dictionaries(st.sampled_from("abc"), inner).map(OrderedDict)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_tensors_are_found_in_the_order_of_pytrees(value: Any) -> None:
    expected = [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]
    assert list(map(id, tensors_in(value))) == list(map(id, expected))


class Seen(list[Any]):
    """Keeps every operation."""

    def before(self, operation: Operation) -> None:
        pass

    def after(self, operation: Operation) -> None:
        self.append(operation)

    def named(self, name: str) -> list[Operation]:
        return [operation for operation in self if operation.name == f"aten.{name}"]


def test_backward_and_optimiser_are_seen() -> None:
    model, seen = torch.nn.Linear(3, 2), Seen()
    optimizer = torch.optim.Adam(model.parameters(), foreach=True)
    with Recorder(seen):
        model(torch.ones(4, 3)).sum().backward()
        optimizer.step()
    assert len(seen.named("addmm")) == 1
    assert seen.named("mm")[0].results[0].shape == (2, 3)
    (lerp,) = seen.named("_foreach_lerp_")
    assert [tuple(tensor.shape) for tensor in lerp.written] == [(2, 3), (2,)]
    assert not lerp.new


def test_an_undeclared_write_is_found() -> None:
    norm, seen = torch.nn.BatchNorm1d(3), Seen()
    with Recorder(seen):
        norm(torch.randn(4, 3))
    (batch_norm,) = seen.named("native_batch_norm")
    written = batch_norm.written
    assert all(a is b for a, b in zip(written, [norm.running_mean, norm.running_var], strict=True))


def test_performing_again_leaves_the_operands_alone() -> None:
    seen, values = Seen(), torch.tensor([1.0, 2.0])
    with Recorder(seen):
        values.add_(torch.ones(2), alpha=2.0)
    fresh = torch.zeros(2)
    done = seen.named("add_")[0].perform([fresh, torch.ones(2)])
    assert (done.new, [tensor.tolist() for tensor in done.written]) == ([], [[2.0, 2.0]])
    assert fresh.tolist() == [0.0, 0.0]
    assert values.tolist() == [3.0, 4.0]


def test_views_blank_memory_and_random_operations_are_told() -> None:
    seen = Seen()
    with Recorder(seen):
        torch.empty(2, 3).t()
        torch.rand(2)
    kinds = {operation.name: operation for operation in seen}
    assert kinds["aten.empty"].blank
    assert kinds["aten.t"].view
    assert kinds["aten.rand"].random
    assert not kinds["aten.t"].random


def test_lists_of_tensors_and_keywords_are_taken_apart() -> None:
    seen = Seen()
    with Recorder(seen):
        torch.cat([torch.ones(1), torch.zeros(2)])
        torch.add(torch.ones(2), torch.ones(2), out=torch.empty(2))
    (joined,), (added,) = seen.named("cat"), seen.named("add")
    assert [len(tensor) for tensor in joined.operands] == [1, 2]
    assert joined.perform(joined.operands).new[0].tolist() == [1.0, 0.0, 0.0]
    assert added.targets == (2,)
    assert added.perform(added.operands).written[0].tolist() == [2.0, 2.0]


def test_a_subclass_is_seen_through_its_tensors() -> None:
    class Logged(torch.Tensor):
        @classmethod
        def __torch_dispatch__(
            cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            plain = [torch.tensor([1.0]) if isinstance(arg, cls) else arg for arg in args]
            return func(*plain, **(kwargs or {}))

    logged = torch.Tensor._make_subclass(Logged, torch.zeros(1))
    seen = Seen()
    with Recorder(seen):
        result = logged.mul(3.0)
    assert result.tolist() == [3.0]
    assert [type(tensor) for tensor in seen.named("mul")[0].operands] == [torch.Tensor]


def test_where_only_shapes_are_computed_nothing_is_recorded() -> None:
    seen = Seen()
    with Recorder(seen), FakeTensorMode() as fake:
        total = fake.from_tensor(torch.ones(3, 4)).matmul(torch.empty(4, 2)).add_(1)
    assert total.shape == (3, 2)
    assert not seen


def test_products_are_counted_as_the_example_counts_them() -> None:
    class Products(Observer):
        number = 0

        def after(self, operation: Operation) -> None:
            self.number += operation.base == "mm"

    x, w = torch.ones(2, 3), torch.ones(3, 4, requires_grad=True)
    with Recorder(products := Products()):
        (x @ w).sum().backward()
    assert products.number == 2
