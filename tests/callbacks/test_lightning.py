from __future__ import annotations

import pytest
from torch.optim import SGD
from torch.utils.data import DataLoader

from tests.callbacks.runs import Net, left_by, rows, same, seed
from tests.conftest import needs

pytestmark = [needs("lightning"), pytest.mark.filterwarnings("ignore")]


def train(folder, callbacks=(), **fault):
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = Net(**fault)

        def training_step(self, batch, number):
            loss = self.net(**batch)["loss"]
            self.log("loss", loss)
            return loss

        def configure_optimizers(self):
            return SGD(self.parameters(), 0.1)

    seed()
    module = Module()
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        default_root_dir=folder,
        enable_progress_bar=False,
        accumulate_grad_batches=2,
        callbacks=[*callbacks],
    )
    trainer.fit(module, DataLoader(rows(), batch_size=4, shuffle=True))
    return trainer, left_by(module)


def test_nothing_of_a_run_changes_and_its_first_updates_have_reports(tmp_path):
    from symmetry import LightningCallback

    callback = LightningCallback(updates=2, only=["symmetry/samples", "training/moves"])
    one, checked = train(tmp_path / "checked", [callback])
    other, plain = train(tmp_path / "plain")
    assert same(checked, plain)
    assert one.callback_metrics == other.callback_metrics
    folder = tmp_path / "checked" / "checkpoints"
    assert any(path.suffix == ".ckpt" for path in folder.iterdir())
    assert "Module: sound (2 checks)" in (folder / "symmetry-2.txt").read_text()
    assert (folder / "symmetry-1.json").is_file()


def test_it_stops_a_run_that_breaks_a_law_if_asked(tmp_path):
    from symmetry import LightningCallback

    trainer, _ = train(tmp_path, [LightningCallback(only="symmetry/samples")], fault=True)
    assert trainer.global_step == 8
    callback = LightningCallback(only="symmetry/samples", stop=True)
    trainer, _ = train(tmp_path, [callback], fault=True)
    assert trainer.global_step == 0  # the first update was to come
