from __future__ import annotations

import pytest
import torch

from tests.conftest import needs

pytest_plugins = "pytester"


@pytest.fixture(autouse=True, scope="module")
def imported():
    """Import what PyTorch imports late: each test of pytester would do so, and the second fails."""
    parameter = torch.nn.Parameter(torch.ones(1))
    parameter.sum().backward()
    torch.optim.AdamW([parameter]).step()


HEADER = """
import pytest
import torch
from symmetry import check_training
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

def make_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.GELU(), nn.Linear(8, 3))

def train(model, loss=nn.functional.cross_entropy, epochs=2):
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    data = TensorDataset(torch.randn(64, 5), torch.randint(3, (64,)))
    for epoch in range(epochs):
        for x, y in DataLoader(data, batch_size=8, shuffle=True):
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()

def wrong(outputs, labels):
    return nn.functional.cross_entropy(outputs[1:].softmax(1), labels[1:])

few = ["symmetry/samples", "training/moves", "loss/inputs"]
"""


def run(pytester, text, *options, inside=True):
    pytester.makepyfile(test_mine=HEADER + text)
    go = pytester.runpytest_inprocess if inside else pytester.runpytest_subprocess
    return go("-p", "no:cacheprovider", "-p", "no:xdist", *options)


def test_each_invariant_is_one_test_of_a_function_that_trains(pytester):
    text = "@check_training(only=few)\ndef test_it():\n    train(make_model())\n"
    result = run(pytester, text, "-v")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [f"test_mine.py::test_it?{name}? PASSED *" for name in ("symmetry/samples",)]
    )
    collected = run(pytester, text.replace("only=few", ""), "--collect-only", "-q")
    assert sum("::test_it[" in line for line in collected.outlines) > 30


def test_a_violation_fails_the_test_of_its_invariant(pytester):
    text = "@check_training(only=few[1:])\ndef test_it():\n    train(make_model(), loss=wrong)\n"
    result = run(pytester, text)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["____* test_it?loss/inputs? ____*", "*  found by  loss/inputs*"])


@pytest.mark.slow
def test_a_violation_that_is_explained_fails_beside_an_expected_failure(pytester):
    result = run(
        pytester,
        """
@check_training(only=few, expected_failures={"loss/inputs": "two softmaxes, see #12"})
def test_it():
    return lambda: train(make_model(), loss=wrong)
""",
        "-rx",
    )
    result.assert_outcomes(passed=1, failed=1, xfailed=1)
    result.stdout.fnmatch_lines(
        [
            "____* test_it?symmetry/samples? ____*",
            "test_mine.py::test_it: 1 problem (1 check)",
            "*  found by  symmetry/samples*",
            "XFAIL *loss/inputs* - two softmaxes, see #12",
        ]
    )
    assert "repeat    symmetry check" not in result.stdout.str()  # no command finds a test


def test_a_fixture_is_tested_as_it_is_and_calls_get_copies_of_others(pytester):
    result = run(
        pytester,
        """
@pytest.fixture
def model():
    return make_model()

@pytest.fixture
def loop(model, tmp_path, monkeypatch, request):
    yield lambda: train(model, epochs=2)

@pytest.mark.parametrize("epochs", [2, 3])
@check_training(only=["symmetry/repeatable"], dtype="float32")
def test_it(model, tmp_path, monkeypatch, epochs):
    (tmp_path / "log.txt").open("x").close()
    train(model, epochs=epochs)

def test_nothing_is_written(tmp_path_factory):
    assert not [*tmp_path_factory.getbasetemp().rglob("log.txt")]

test_loop = check_training(loop, only="symmetry/repeatable", dtype="float32")
""",
    )
    result.assert_outcomes(passed=4)


def test_others_may_write_files_of_the_project_meanwhile(pytester):
    result = run(
        pytester,
        """
import subprocess
from pathlib import Path

log = Path(__file__).with_name("others.txt")
log.write_bytes(bytes(1 << 21))  # of a large file there is no copy

@check_training(only="symmetry/repeatable", dtype="float32")
def test_it():
    subprocess.run(["sh", "-c", f"echo written >> {log}"], check=True)
    train(make_model())

def test_they_have():
    assert log.stat().st_size > 1 << 21
""",
    )
    result.assert_outcomes(passed=2)


def test_a_model_and_its_step_are_a_training_as_elsewhere(pytester):
    result = run(
        pytester,
        """
@check_training(only=few)
def test_it():
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def batch(i):
        torch.manual_seed(i)
        return torch.randn(8, 5), torch.randint(3, (8,))

    def step(data):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(data[0]), data[1]).backward()
        optimizer.step()

    return model, step, {"batch": batch}
""",
    )
    result.assert_outcomes(passed=3)


class _Clock:
    used = 0

    def __call__(self):
        return self.used


def test_tests_beyond_the_budget_are_skipped_and_what_ran_is_in_the_report(pytester, monkeypatch):
    clock = _Clock()
    for module in ("symmetry.base.calls", "symmetry.checker.examiner"):
        monkeypatch.setattr(f"{module}.cpu_seconds", clock)
    result = run(
        pytester,
        "from symmetry.base import calls\n\n"
        "late = []\n\n@pytest.fixture(autouse=True)\ndef look(request):\n"
        "    late[:] = ['samples' in request.node.name]\n\n"
        "@check_training(only=['training/moves', 'symmetry/samples', 'loss/inputs'], budget=4)\n"
        "def test_it():\n    calls.cpu_seconds.used += 13 * any(late)\n    train(make_model())\n",
        *("-rs", "--junitxml=report.xml"),
    )
    result.assert_outcomes(passed=2, skipped=1)
    why = "not reached within 12 CPU seconds (--budget)"
    result.stdout.fnmatch_lines([f"SKIPPED*not reached: {why}"])
    report = (pytester.path / "report.xml").read_text()
    assert report.count('value="symmetry/samples in float64: not reached"') == 1
    assert report.count('value="loss/inputs in float64: holds"') == 1
    assert report.count('value="training/moves in float32: holds"') == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "@check_training(only=few)\ndef test_it():\n    return 42\n",
            "test_mine.py::test_it: it *",
        ),
        (
            "@check_training(only=few)\ndef test_it():\n    raise KeyError('x')\n",
            "*test_mine.py::test_it raised KeyError: 'x' (test_mine.py:*)",
        ),
        (
            (
                "@pytest.fixture\ndef made():\n    yield make_model(), abs\n\n"
                "test_it = check_training(made, only=few)\n"
            ),
            "test_mine.py::made yields (model, step), and would end before the step is taken: *",
        ),
        (
            "@check_training(only='few')\ndef test_it(): ...\n",
            "no invariant of trainings matches 'few'*",
        ),
    ],
)
def test_a_mistake_is_one_line(pytester, text, message):
    result = run(pytester, text)
    result.stdout.fnmatch_lines([message])
    assert "Traceback" not in result.stdout.str()


def test_what_cannot_be_checked_is_called_for_the_first_test_only(pytester):
    result = run(
        pytester,
        """
calls = []

@check_training(only=few)
def test_it():
    calls.append(1)

def test_calls():
    assert len(calls) == 1
""",
    )
    result.assert_outcomes(passed=1, failed=3)
    reason = "test_mine.py::test_it: it ends, and makes no "
    assert sum(line.startswith(reason) for line in result.stdout.lines) == 3


@pytest.mark.slow
def test_several_workers_judge_alike(pytester):
    pytester.makepyfile(
        test_mine=HEADER + "@check_training(only=few)\n"
        "def test_it():\n    train(make_model(), loss=wrong)\n"
    )
    result = pytester.runpytest_subprocess("-n", "2", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=2)


TRAINER = """
import transformers

@pytest.fixture
def trainer(tmp_path):
    config = transformers.LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2,
    )
    torch.manual_seed(0)
    rows = torch.randint(3, 32, (32, 8))
    return transformers.Trainer(
        model=transformers.LlamaForCausalLM(config),
        args=transformers.TrainingArguments(
            str(tmp_path), per_device_train_batch_size=2, gradient_accumulation_steps=2,
            max_steps=6, report_to=[], use_cpu=True, disable_tqdm=True,
        ),
        train_dataset=[{"input_ids": row, "labels": row} for row in rows],
    )

test_it = check_training(trainer, only=["symmetry/samples", "loss/next-token"])

@check_training(only="training/moves")
def test_made_once(trainer):
    return trainer
"""


@needs("transformers")
def test_a_trainer_of_transformers_trains(pytester):
    result = run(pytester, TRAINER, "-W", "ignore", inside=False)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["the fixture 'trainer' is made once, and each run needs its own: test the fixture *"]
    )


LIGHTNING = """
import lightning

class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = make_model()

    def training_step(self, batch, number):
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)

@check_training(only=few)
def test_it(tmp_path):
    trainer = lightning.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, default_root_dir=tmp_path,
        enable_progress_bar=False, enable_checkpointing=False,
    )
    data = TensorDataset(torch.randn(64, 5), torch.randint(3, (64,)))
    return trainer, Module(), DataLoader(data, batch_size=8)
"""


@needs("lightning")
def test_a_trainer_of_lightning_fits_its_module(pytester):
    run(pytester, LIGHTNING, "-W", "ignore", inside=False).assert_outcomes(passed=3)
