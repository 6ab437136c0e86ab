"""What is saved, loaded and gone on with: the same bits, or why not."""

from __future__ import annotations

import pytest

from symmetry.base.errors import SymmetryError
from tests.checking import check_target
from tests.conftest import slow
from tests.torch.script import scripts
from tests.torch.script.helpers import written
from tests.training.small import checked, kinds


def test_what_is_saved_has_no_history():
    """The state that a recurrent network goes on with is the result of its last step."""

    def make():
        import torch

        class Memory:
            def __init__(self):
                self.value = torch.zeros(1, 3, 4)

            def state_dict(self):
                return {"value": self.value}

            def load_state_dict(self, saved):
                self.value = saved["value"]

        model, memory = torch.nn.GRU(2, 4), Memory()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(i):
            optimizer.zero_grad()
            x = torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(i))
            x = x.to(memory.value.dtype)
            out, memory.value = model(x, memory.value.detach())
            out.square().mean().backward()
            optimizer.step()

        return model, step, {"memory": memory}

    assert {*kinds(checked(make, only=["training/resume"])).values()} == {"holds"}


def test_a_state_that_has_to_be_gathered_first_is_not_saved():
    """Such a one lies on several ranks, as that of ZeroRedundancyOptimizer."""

    def make():
        import torch

        class Parted(torch.optim.SGD):
            def state_dict(self):
                raise RuntimeError("not consolidated")

        model = torch.nn.Linear(3, 2)
        optimizer = Parted(model.parameters(), 0.1)

        def step(i):
            optimizer.zero_grad()
            x = torch.randn(5, 3, generator=torch.Generator().manual_seed(i))
            model(x.to(model.weight.dtype)).square().mean().backward()
            optimizer.step()

        return model, step, {"optimizer": optimizer}

    for verdict in checked(make, only=["training/resume"]).verdicts:
        assert verdict.kind == "vacuous", verdict
        assert "optimizer.state_dict raised RuntimeError: not consolidated" in verdict.message


def of_files(*, all_of_it: bool, loads: bool = True):
    """Return a training that saves and loads by itself; its running mean is no state of PyTorch."""

    def make():
        import torch

        model = torch.nn.Linear(3, 2)
        optimizer = torch.optim.Adam(model.parameters(), 0.1)
        means = [1.0]

        def step(i):
            optimizer.zero_grad()
            x = torch.randn(5, 3, generator=torch.Generator().manual_seed(i))
            loss = model(x.to(model.weight.dtype)).square().mean()
            means[0] = 0.9 * means[0] + 0.1 * loss.item()
            (loss / means[0]).backward()
            optimizer.step()

        def save(folder):
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save({**state, "mean": means[0]}, f"{folder}/last.pt")

        def load(folder):
            state = torch.load(f"{folder}/last.pt")
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            means[0] = state["mean"] if all_of_it else 1.0

        return model, step, {"save": save, **({"load": load} if loads else {})}

    return make


def test_a_function_may_save_and_load_by_itself():
    found = checked(of_files(all_of_it=True), only=["training/resume"])
    assert {*kinds(found).values()} == {"holds"}


def test_what_its_own_files_do_not_have_is_named():
    (verdict,) = checked(of_files(all_of_it=False), only=["training/resume"]).verdicts
    assert verdict.kind == "violated"
    assert "some of its state is not in its files" in verdict.message


def test_saving_without_loading_is_an_error():
    with pytest.raises(SymmetryError, match=r'extras\["save"\] and extras\["load"\] must be two'):
        checked(of_files(all_of_it=True, loads=False), only=["training/resume"])


@pytest.mark.parametrize(
    ("zeroed", "kind", "message"),
    [
        ("of_critic", "holds", ""),
        ("of_generator", "violated", "the gradients of earlier steps are added up"),
    ],
)
def test_a_script_is_judged_where_it_can_be_loaded(tmp_path, monkeypatch, zeroed, kind, message):
    """Between the updates of a critic and a generator, the generator's graph is half used."""
    monkeypatch.chdir(tmp_path)
    text = scripts.GAN.replace("critic.zero_grad()", f"{zeroed}.zero_grad()")
    (verdict,) = check_target(written(tmp_path, text), only=["training/resume"]).verdicts
    assert verdict.kind == kind
    assert message in verdict.message


def test_a_script_that_can_be_loaded_nowhere_is_not_judged(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (verdict,) = check_target(written(tmp_path, _ONLY_WITHIN), only=["training/resume"]).verdicts
    assert verdict.kind == "vacuous"
    assert verdict.message.startswith("cannot judge: it was saved in the middle of an iteration")


@pytest.mark.parametrize("name", ["hidden state", slow("samples of a generator")])
def test_a_result_on_its_way_into_the_next_step_is_no_state(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    target = written(tmp_path, _ON_ITS_WAY[name])
    (verdict,) = check_target(target, only=["training/resume"]).verdicts
    assert verdict.kind == "vacuous"
    assert "the next step begins with an earlier result of a model" in verdict.message


def test_a_hidden_state_that_begins_anew_hides_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = _ON_ITS_WAY["hidden state"].replace("hidden.detach()", "None")
    (verdict,) = check_target(written(tmp_path, text), only=["training/resume"]).verdicts
    assert verdict.kind == "holds"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("update", "kind"),
    [("", "holds"), ("teacher.weight.data.lerp_(net.weight.data, 0.1)", "vacuous")],
)
def test_results_of_a_teacher_that_stays_are_no_state(tmp_path, monkeypatch, update, kind):
    monkeypatch.chdir(tmp_path)
    target = written(tmp_path, _TAUGHT.format(update=update))
    (verdict,) = check_target(target, only=["training/resume"]).verdicts
    assert verdict.kind == kind


def test_models_are_saved_by_their_own_methods(tmp_path, monkeypatch):
    """A wrapper, as Fabric's, may have the names of the module that it wraps."""
    monkeypatch.chdir(tmp_path)
    (verdict,) = check_target(written(tmp_path, _WRAPPED), only=["training/resume"]).verdicts
    assert verdict.kind == "holds"


@pytest.mark.parametrize(
    ("saved", "kind", "notes"),
    [
        slow("net optimizer", "violated", []),
        ("net", "vacuous", ["training/unsaved"]),
        ("", "vacuous", []),
    ],
)
def test_a_script_that_saves_no_optimiser_is_not_to_be_resumed(
    tmp_path, monkeypatch, saved, kind, notes
):
    monkeypatch.chdir(tmp_path)
    states = {"net": "net.state_dict()", "optimizer": "adam.state_dict()"}
    parts = ", ".join(f'"{name}": {states[name]}' for name in saved.split())
    text = _RUNNING_MEAN + (f'torch.save({{{parts}}}, "net.pt")' if parts else "")
    (verdict,) = check_target(written(tmp_path, text), only=["training/resume"]).verdicts
    assert verdict.kind == kind
    assert [note.name for note in verdict.notes] == notes


_WRAPPED = """
import torch
from torch import nn

class Wrapper(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
    def forward(self, x):
        return self.inner(x)
    def state_dict(self, **options):
        return self.inner.state_dict(**options)
    def load_state_dict(self, saved, **options):
        return self.inner.load_state_dict(saved, **options)

torch.manual_seed(0)
nets = [Wrapper(nn.Linear(3, 1)) for _ in range(2)]
adams = [torch.optim.Adam(net.parameters(), 0.1) for net in nets]
for _ in range(4):
    for net, adam in zip(nets, adams):
        adam.zero_grad()
        net(torch.randn(6, 3)).square().mean().backward()
        adam.step()
"""
_RUNNING_MEAN = """
import torch
from torch import nn

torch.manual_seed(0)
net, mean = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)), 1.0
adam = torch.optim.Adam(net.parameters(), 0.1)
for _ in range(8):
    loss = net(torch.randn(6, 3)).square().mean()
    mean = 0.9 * mean + 0.1 * loss.item()
    adam.zero_grad()
    (loss / mean + net[0].weight.square().sum()).backward()
    adam.step()
"""
_ON_ITS_WAY = {
    "hidden state": """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.read, self.out = nn.GRU(3, 4, batch_first=True), nn.Linear(4, 3)
    def forward(self, x, hidden):
        found, hidden = self.read(x, hidden)
        return self.out(found), hidden

torch.manual_seed(0)
text, net, hidden = torch.randn(2, 61, 3), Net(), None
sgd = torch.optim.SGD(net.parameters(), 0.1)
for i in range(0, 60, 6):
    out, hidden = net(text[:, i : i + 6], hidden)
    hidden = hidden.detach()
    sgd.zero_grad()
    (out - text[:, i + 1 : i + 7]).square().mean().backward()
    sgd.step()
""",
    "samples of a generator": """
import torch
from torch import nn

torch.manual_seed(0)
maker, critic = nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
of_maker, of_critic = (torch.optim.SGD(m.parameters(), 0.1) for m in (maker, critic))
for _ in range(3):
    for _ in range(5):
        with torch.no_grad():
            made = maker(torch.randn(4, 2))
        of_critic.zero_grad()
        (critic(torch.ones(4, 3)).square() + critic(made)).mean().backward()
        of_critic.step()
    of_maker.zero_grad()
    (-critic(maker(torch.randn(4, 2)))).mean().backward()
    of_maker.step()
""",
}
_TAUGHT = """
import torch
from torch import nn

torch.manual_seed(0)
net, teacher = nn.Linear(3, 2), nn.Linear(3, 2)
sgd = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
for _ in range(8):
    x = torch.randn(6, 3)
    with torch.no_grad():
        aim = teacher(x)
    sgd.zero_grad()
    (net(x) - aim).square().mean().backward()
    sgd.step()
    {update}
"""
_ONLY_WITHIN = """
import torch
from torch import nn

body, head = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3)), nn.Linear(3, 1)
of_body, of_head = (torch.optim.SGD(m.parameters(), 0.1) for m in (body, head))
kept = body(torch.randn(8, 3))
for _ in range(8):
    of_head.zero_grad()
    head(kept.detach()).square().mean().backward()
    of_head.step()
    following = body(torch.randn(8, 3))
    of_body.zero_grad()
    head(kept).square().mean().backward()
    kept = following
"""
