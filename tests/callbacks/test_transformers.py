from __future__ import annotations

import json

import pytest

from symmetry import SymmetryError
from tests.callbacks.runs import Net, left_by, rows, same, seed
from tests.conftest import needs

pytestmark = [needs("transformers"), pytest.mark.filterwarnings("ignore")]


def train(folder, callbacks=(), **fault):
    import transformers

    seed()
    model, data = Net(**fault), rows()
    trainer = transformers.Trainer(
        model=model,
        args=transformers.TrainingArguments(
            str(folder),
            per_device_train_batch_size=4,
            gradient_accumulation_steps=2,
            max_steps=4,
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
        ),
        train_dataset=data,
        callbacks=[*callbacks],
    )
    trainer.train()
    return trainer, left_by(model)


def test_nothing_of_a_run_changes_and_its_first_updates_have_reports(tmp_path):
    from symmetry import TrainerCallback

    callback = TrainerCallback(updates=2, only=["symmetry/samples", "training/moves"])
    _, checked = train(tmp_path / "checked", [callback])
    _, plain = train(tmp_path / "plain")
    assert same(checked, plain)
    reports = sorted(path.name for path in (tmp_path / "checked").glob("symmetry-*"))
    assert reports == [f"symmetry-{n}.{kind}" for n in (1, 2) for kind in ("json", "txt")]
    text = (tmp_path / "checked/symmetry-2.txt").read_text()
    assert "Net: sound (2 checks)" in text
    assert json.loads((tmp_path / "checked/symmetry-1.json").read_text())["exit_status"] == 0


def test_it_stops_a_run_that_breaks_a_law_if_asked(tmp_path):
    from symmetry import TrainerCallback

    trainer, _ = train(tmp_path, [TrainerCallback(only="symmetry/samples")], fault=True)
    assert trainer.state.global_step == 4
    trainer, _ = train(tmp_path, [TrainerCallback(only="symmetry/samples", stop=True)], fault=True)
    assert trainer.state.global_step == 1
    assert "symmetry/samples" in (tmp_path / "symmetry-1.txt").read_text()


def test_what_cannot_be_checked_is_said_in_the_report(tmp_path):
    import transformers

    from symmetry import TrainerCallback

    class Unlike(Net):
        def forward(self, inputs, labels, **_):
            return (super().forward(inputs, labels)["loss"],)

    seed()
    arguments = transformers.TrainingArguments(
        str(tmp_path), max_steps=1, report_to=[], use_cpu=True, disable_tqdm=True
    )
    trainer = transformers.Trainer(
        Unlike(), arguments, train_dataset=rows(), callbacks=[TrainerCallback(stop=True)]
    )
    trainer.train()
    assert (tmp_path / "symmetry-1.txt").read_text().startswith("not checked: loss(model, batch) ")


def test_a_wrong_option_shows_before_the_run():
    from symmetry import TrainerCallback

    with pytest.raises(SymmetryError, match="steps must be an integer of at least 2, not 0"):
        TrainerCallback(steps=0)
