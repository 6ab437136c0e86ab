"""Edits that mend: each is made from a guilty line and a message, and leaves all else as it is."""

from __future__ import annotations

import ast
import textwrap

import pytest

from symmetry.report.edits.edit import Edit, edit_at

HELPER = "seed(0)\ndef seed_everything():\n    seed(1)\ndef train(x):\n"
TRAINING = "    loss.backward()\nfor x in y:\n    train(x)\n"
LOOP = """\
for x, y in loader:
    optimizer.zero_grad()
    loss = f(model(x), y)
    loss.backward()
    optimizer.step()
"""


def mended(tmp_path, text, line, message):
    """Return a file with its edit; None without one."""
    file = tmp_path / "train.py"
    file.write_text(textwrap.dedent(text))
    edit = edit_at(message, str(file), line)
    return None if edit is None else applied(edit)


def applied(edit: Edit) -> str:
    """Apply an edit as its documentation says."""
    with open(edit.file) as opened:  # noqa: PTH123
        lines = opened.read().split("\n")
    first, count = edit.line - 1, edit.old.count("\n") + 1
    assert "\n".join(lines[first : first + count]) == edit.old
    lines[first : first + count] = edit.new.split("\n")
    ast.parse(text := "\n".join(lines))
    return text


GRADIENTS = [
    (
        "a()\noptimizer.step()\nclip(p, 1.0)  # here\n",
        3,
        "gradients are clipped after step(), and cleared",
        "a()\nclip(p, 1.0)  # here\noptimizer.step()\n",
    ),
    (
        "clip(p, 1.0)\nloss.backward()\noptimizer.step()\n",
        1,
        "this clips nothing: no parameter has a gradient yet",
        "loss.backward()\nclip(p, 1.0)\noptimizer.step()\n",
    ),
    (
        "loss.backward()\noptimizer.zero_grad()\noptimizer.step()\n",
        1,
        "the gradients of this backward() are cleared (a.py:2) before any update has read them",
        "optimizer.zero_grad()\nloss.backward()\noptimizer.step()\n",
    ),
    (
        "for x in y:\n    a.zero_grad()\n    loss.backward()\n    if n:\n        a.step()\n",
        3,
        "the gradients of this backward() are cleared (a.py:2) before any update has read them",
        "for x in y:\n    loss.backward()\n    if n:\n        a.step()\n        a.zero_grad()\n",
    ),
    (
        "real.backward()\nfake.backward()\nscaler.step(critic)\n",
        3,
        "this update adds gradients that it has used before: zero_grad() is missing",
        "critic.zero_grad()\nreal.backward()\nfake.backward()\nscaler.step(critic)\n",
    ),
    (
        "p = model.parameters()\noptimizer = Adam(p, lr=1e-3)\nclip(p, 1.0)\n",
        3,
        "this clips nothing: the generator of parameters that it is given was used up before",
        "p = list(model.parameters())\noptimizer = Adam(p, lr=1e-3)\nclip(p, 1.0)\n",
    ),
]


@pytest.mark.parametrize(("before", "line", "message", "behind"), GRADIENTS)
def test_gradients_are_cleared_and_clipped_in_order(tmp_path, before, line, message, behind):
    found = mended(tmp_path, before, line, message)
    assert found == behind


LOSSES = [
    ("loss = f.cross_entropy(softmax(model(x), -1), y)", "loss = f.cross_entropy(model(x), y)"),
    ("loss = cross_entropy(model(x).softmax(dim=1), y)", "loss = cross_entropy(model(x), y)"),
    ("p = F.softmax(model(x), 1)\nloss = f(p, y)", "p = model(x)\nloss = f(p, y)"),
    (
        "model = nn.Sequential(nn.Linear(3, 2), nn.Softmax(dim=1))\nloss = f(model(x), y)",
        "model = nn.Sequential(nn.Linear(3, 2))\nloss = f(model(x), y)",
    ),
]


@pytest.mark.parametrize(("before", "behind"), LOSSES)
def test_a_softmax_that_the_loss_has_is_left_out(tmp_path, before, behind):
    message = "cross_entropy is given probabilities and applies softmax to them again"
    line = before.count("\n") + 1
    text = f"import torch.nn.functional as F\n{before}\n"
    assert mended(tmp_path, text, line + 1, message) == text.replace(before, behind)


def test_one_of_several_is_not_chosen_by_chance(tmp_path):
    text = "a = softmax(x)\nb = softmax(y)\nc = g(a, b)\nloss = f(c, z)\n"
    message = "cross_entropy is given probabilities and applies softmax to them again"
    assert mended(tmp_path, text, 4, message) is None


@pytest.mark.parametrize(
    ("before", "message", "behind"),
    [
        (
            "loss = mse_loss(model(x), y)",
            "mse_loss of outputs of shape (8, 1) and data of shape (8,) makes (8, 8)",
            "loss = mse_loss(model(x).squeeze(-1), y)",
        ),
        (
            "loss = criterion(model(x), y)",
            "mse_loss of outputs of shape (8,) and data of shape (8, 1) makes (8, 8)",
            "loss = criterion(model(x), y.squeeze(-1))",
        ),
        (
            "p.require_grad = False  # head",
            "A Parameter has no attribute require_grad: it is still True. Set requires_grad.",
            "p.requires_grad = False  # head",
        ),
        (
            "layer.requires_grad = False",
            "A module (Linear) has no attribute requires_grad. Call requires_grad_(False).",
            "layer.requires_grad_(False)",
        ),
        (
            "best = copy.copy(model.state_dict())",
            "4 of 4 tensors are the model's own",
            "best = {name: value.clone() for name, value in model.state_dict().items()}",
        ),
        (
            "loader = DataLoader(data, batch_size=4)",
            "whole batches have one label. Pass shuffle=True.",
            "loader = DataLoader(data, batch_size=4, shuffle=True)",
        ),
        (
            "loss = cross_entropy(out.view(-1, 9), ids.view(-1))",
            "the label of each position is its own input token: shift the labels by one",
            "loss = cross_entropy(out[:, :-1].reshape(-1, 9), ids[:, 1:].reshape(-1))",
        ),
        (
            "w = softmax(self.gate(x), dim=0)",
            "this softmax runs over axis 0 of (8, 3), the axis of the samples",
            "w = softmax(self.gate(x), dim=-1)",
        ),
        (
            "loss = f(model(x).detach(), y)",
            "detach (a.py:1) cuts the gradient off",
            "loss = f(model(x), y)",
        ),
        (
            "p.grad[:-1].clamp_(-1, 1)",
            "treats unit 7 of layer 0 differently from unit 0",
            "p.grad.clamp_(-1, 1)",
        ),
    ],
)
def test_one_line_is_replaced(tmp_path, before, message, behind):
    assert mended(tmp_path, f"{before}\n", 1, message) == f"{behind}\n"


def test_train_is_called_where_the_training_is(tmp_path):
    text = f"model.eval()\nscore = test(model)\n{LOOP}"
    message = "eval() is never undone: train.py:6 trains Net in evaluation mode"
    found = mended(tmp_path, text, 1, message)
    assert "for x, y in loader:\n    model.train()\n    optimizer.zero_grad()" in found


def test_an_evaluation_is_put_between_eval_and_train(tmp_path):
    text = f"{LOOP}with torch.no_grad():\n    for x, y in other:\n        n += model(x).sum()\n"
    message = "Net is evaluated in training mode: 1 dropout is active"
    found = mended(tmp_path, text, 8, message)
    assert found == text.replace("with torch", "model.eval()\nwith torch") + "model.train()\n"


def test_a_seed_goes_before_the_loop(tmp_path):
    text = f"import torch\n{LOOP}".replace(
        "    optimizer.z", "    torch.manual_seed(1)\n    optimizer.z"
    )
    message = "PyTorch's random numbers are seeded in the loop. Seed once, before the loop."
    found = mended(tmp_path, text, 3, message)
    assert found == f"import torch\ntorch.manual_seed(1)\n{LOOP}"


def test_a_sampler_is_given_the_epoch(tmp_path):
    loops = "for _ in range(3):\n    for x in loader:\n        f(x)\n"
    text = f"loader = DataLoader(data, sampler=s)\n{loops}"
    message = "two epochs come in the same order. Call sampler.set_epoch(epoch) before each epoch."
    found = mended(tmp_path, text, 1, message)
    assert "for epoch in range(3):\n    s.set_epoch(epoch)\n    for x" in found


def test_a_function_follows_the_mode_of_its_module(tmp_path):
    text = "class Net:\n    def forward(self, x):\n        return F.dropout(x, 0.5)\n"
    message = "this call does not say training=self.training, and True is the default"
    found = mended(tmp_path, text, 3, message)
    assert "F.dropout(x, 0.5, training=self.training)" in found


@pytest.mark.parametrize("text", ["def f(:\n", "", "x = 1\n"])
def test_there_is_no_edit_of_what_is_not_understood(tmp_path, text):
    assert mended(tmp_path, text, 1, "gradients are clipped after step()") is None
    assert edit_at("", str(tmp_path / "none.py"), 3) is None
    assert edit_at("", str(tmp_path / "train.py"), 1) is None


def test_letters_beyond_ascii_keep_their_places(tmp_path):
    text = 'layers["ä ö"].require_grad = "ü"\n'
    message = "A Parameter has no attribute require_grad: it is still True. Set requires_grad."
    found = mended(tmp_path, text, 1, message)
    assert found == text.replace("require_grad", "requires_grad")
    assert mended(tmp_path, f"a = 1; {text}", 1, message) is None


@pytest.mark.parametrize(
    ("before", "line", "behind"),
    [
        (
            "for epoch in e:\n    for x in y:\n        a.step()\n    s.step()\n",
            4,
            "for epoch in e:\n    for x in y:\n        a.step()\n        s.step()\n",
        ),
        (
            "for x in y:\n    if n:\n        a.step()\n    s.step()\n",
            4,
            "for x in y:\n    if n:\n        a.step()\n        s.step()\n",
        ),
    ],
)
def test_a_schedule_steps_where_the_optimiser_does(tmp_path, before, line, behind):
    message = "LambdaLR is made for 16 steps, and takes 4. Step it where the optimiser steps."
    assert mended(tmp_path, before, line, message) == behind


@pytest.mark.parametrize(
    ("before", "line", "message", "behind"),
    [
        (
            "e.mul_(1 - decay).add_(p, alpha=decay)\n",
            1,
            "it is almost the model. If this is not meant, exchange the decay and 1 - decay.",
            "e.mul_(decay).add_(p, alpha=1 - decay)\n",
        ),
        (
            "for x, y in z:\n    l = criterion(net(x), y)\n    l.backward()\n",
            2,
            "Net is trained in evaluation mode: 2 dropouts are off",
            "for x, y in z:\n    net.train()\n    l = criterion(net(x), y)\n    l.backward()\n",
        ),
        (
            "term = torch.tensor(z.abs().mean().item())\n",
            1,
            "item() (a.py:1) cuts a term of the loss off from the model",
            "term = z.abs().mean()\n",
        ),
        (
            f"{HELPER}    seed_everything()\n{TRAINING}",
            3,
            "numbers are seeded in the loop. Seed once, before the loop.",
            f"{HELPER}{TRAINING}",
        ),
    ],
)
def test_averages_modes_terms_and_seeds(tmp_path, before, line, message, behind):
    assert mended(tmp_path, before, line, message) == behind


def test_a_tensor_that_is_made_of_several_numbers_stays(tmp_path):
    message = "item() (a.py:1) cuts a term of the loss off from the model"
    assert mended(tmp_path, "t = torch.tensor(a.item() + b.item())\n", 1, message) is None


PIECES = """\
for batch in loader:
    pieces = batch.split(4)
    for piece in pieces:
        loss = f(model(piece))
        loss.backward()
    optimizer.step()
"""
EVERY = """\
for i, batch in enumerate(loader):
    scaler.scale(f(model(batch))).backward()
    loss = f(model(batch))
    scaler.scale(loss).backward()
    if (i + 1) % args.every == 0:
        optimizer.step()
"""
SUMS = (
    "this update sums the gradients of 8 batches, and nothing divides their mean losses "
    "(train.py:{})"
)
TWICE = "together weigh 1/4, and not 1: it is divided by their number twice. Divide it once."
LEFT = "GPT2LMHeadModel gives a row without its padding on the left other outputs than with it"
PADDED = (
    "from transformers import GPT2LMHeadModel\nout = model(x, attention_mask=batch[0], labels=y)\n"
)
OWN_MODEL = "import transformers\nclass GPT2LMHeadModel: pass\nout = model(x, attention_mask=m)\n"
PACKED = """\
def forward(self, x, mask):
    a = attention.scaled_dot_product_attention(q, k, v, is_causal=True)
    return a{}
"""
DOCUMENTS = "the tokens of one document act on the outputs of another one in the same row"
HALVES = "model = Net()\n{}\nwith torch.autocast('cpu', dtype=torch.bfloat16):\n    step()\n"
LOST = "no update moves 3 of 13 parameters in bfloat16: it is rounded away. Keep them in float32."
NOISE = "x = checkpoint(block, x, preserve_rng_state=False)\ny = f(x)\n"
SCALED = """\
class Scaled(Function):
    def forward(ctx, output, term):
        return {}
if training:
    Scaled.apply(weights, term)
"""
HIDDEN = "a product with a mask is averaged over all places, also those that it hides"
MEAN = "loss = a + (mask[:, None] * x).mean(dim=1)\n"
SUM = "each = (x * mask).sum(1) / mask.shape[1]\n"
DROPPED = "the result of Scaled.apply is dropped at each of its 8 calls"


@pytest.mark.parametrize(
    ("before", "line", "message", "old", "new"),
    [
        (PIECES, 6, SUMS.format(5), "loss.backward()", "(loss / len(pieces)).backward()"),
        (EVERY, 6, SUMS.format(4), "scale(loss)", "scale(loss / args.every)"),
        ("if a:\n    loss = loss / every\n    b()\n", 2, TWICE, "loss = loss / every", ""),
        ("if a:\n    loss /= every\n    b()\n", 2, TWICE, "loss /= every", ""),
        ("(loss / every).backward()\n", 1, TWICE, "loss / every", "loss"),
        (LOOP, 5, SUMS.format(4), "loss.backward()", "(loss / 8).backward()"),
        (
            PADDED,
            2,
            LEFT,
            "attention_mask=batch[0]",
            "attention_mask=batch[0], position_ids=(batch[0].cumsum(-1) - 1).clamp(min=0)",
        ),
        (PACKED.format(""), 2, DOCUMENTS, "is_causal=True", "attn_mask=mask"),
        (HALVES.format("model.bfloat16()"), 4, LOST, "model.bfloat16()", "model.float()"),
        (
            HALVES.format("model.to('cpu', torch.bfloat16)"),
            4,
            LOST,
            "'cpu', torch.bfloat16",
            "'cpu', torch.float32",
        ),
        (NOISE, 2, "leave out preserve_rng_state=False", "_state=False", "_state=True"),
        (
            MEAN,
            1,
            HIDDEN,
            "(mask[:, None] * x).mean(dim=1)",
            "((x * mask[:, None]).sum(dim=1) / mask[:, None].expand_as(x).sum(dim=1))",
        ),
        (SUM, 1, HIDDEN, "mask.shape[1]", "mask.expand_as(x).sum(1)"),
        (SCALED.format("output"), 5, DROPPED, "    Scaled.", "    weights = Scaled."),
    ],
)
def test_pieces_padding_documents_precision_and_terms(tmp_path, before, line, message, old, new):
    assert mended(tmp_path, before, line, message).split() == before.replace(old, new).split()


@pytest.mark.parametrize(
    ("before", "line", "message"),
    [
        ("loss = f(scores / temperature)\n", 1, TWICE),  # the other division is elsewhere
        (EVERY, 6, SUMS.format(2)),  # no name to divide
        (PADDED.replace("labels=", "position_ids="), 2, LEFT),
        (OWN_MODEL, 3, LEFT),  # it may take no positions
        (PACKED.format(" * mask"), 2, DOCUMENTS),  # the mask is for something else
        (HALVES.format("model.half()\nx = x.half()"), 5, LOST),  # inputs are cast as well
        ("loss = (x * keep).mean()\n", 1, HIDDEN),  # either may be the mask
        ("loss = ((a + b) * mask).mean()\n", 1, HIDDEN),
        ("loss = (mask * masked).mean()\n", 1, HIDDEN),
        (SCALED.format("output * term"), 5, DROPPED),  # another value than the one that is read
        (SCALED.format("output, term"), 5, DROPPED),
    ],
)
def test_an_edit_that_may_be_another_is_not_offered(tmp_path, before, line, message):
    assert mended(tmp_path, before, line, message) is None
