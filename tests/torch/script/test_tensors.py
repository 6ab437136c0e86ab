"""The names of tensors that no module holds, and the functions that are first given them."""

import torch
from torch import nn

from symmetry.torch.script.tensors import FirstUse, found, holder, names_of


class Layer:
    def __init__(self):
        self.weight = torch.ones(2, 3, requires_grad=True)


def test_a_variable_comes_before_those_of_loops_and_attributes_before_lists():
    layers = [Layer(), Layer()]
    scope = {
        "net": {"all": [layer.weight for layer in layers], "layers": layers},
        "parameter": layers[1].weight,
    }
    paths = names_of([layer.weight for layer in layers], [scope])
    assert paths == [("net", "layers", "0", "weight"), ("net", "layers", "1", "weight")]
    assert [*found(paths, [scope]).values()] == [layers[0].weight, layers[1].weight]


def test_what_is_in_no_variable_is_never_found():
    tensor = torch.ones(1, requires_grad=True)
    paths = names_of([tensor], [{"others": [[[[[[tensor]]]]]], "many": [tensor] * 2000}])
    assert paths == [("tensor", "0")]
    assert not found(paths, [{"others": [tensor]}])


def test_nothing_is_found_before_all_of_it_is_there():
    weight, bias = torch.ones(1, requires_grad=True), torch.ones(1)
    paths = [("weight",), ("bias",)]
    assert not found(paths, [{"weight": weight}])
    assert not found(paths, [{"weight": weight, "bias": bias}])
    bias.requires_grad = True
    assert found(paths, [{"weight": weight}, {"bias": bias}]).keys() == {*paths}


def test_a_holder_has_the_tensors_themselves_for_parameters():
    weight, bias = torch.ones(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    module = holder({("net", "0", "weight"): weight, ("bias",): bias})
    parameters = dict(module.named_parameters())
    assert parameters["net.0.weight"] is weight
    assert parameters["bias"] is bias
    module.double()
    assert weight.dtype == torch.float64


def test_a_first_use_is_a_function_that_may_keep_a_leaf_for_a_backward():
    weight, layer = torch.ones(2, 3, requires_grad=True), nn.Linear(2, 3)
    seen = list[int]()
    with FirstUse(lambda leaves: bool(seen.append(len(leaves)))):
        weight.grad = torch.zeros(2, 3)
        weight.data += -0.1 * weight.grad
        with torch.no_grad():
            weight -= 0.1
        assert weight.numel() == weight.size(0) * 3
        assert torch.is_floating_point(weight)
        layer.to("cpu")
        assert not seen
        weight.T @ torch.ones(2)
        torch.cat([weight, weight])
        weight[0]
    assert seen == [1, 2, 1]
