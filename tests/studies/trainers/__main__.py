"""Write reports/trainers.md: trainers, losses and collators of five libraries, each checked.

A study that was interrupted goes on where it stopped: lines that are in trainers.jsonl stay. It is
``symmetry check SCRIPT NAME`` in copies of a process that has imported the libraries already, since
that takes as long as a check.
"""

from __future__ import annotations

import os
import sys

from symmetry.cli.campaign.several import read_lines
from tests.studies.copies import check_in_copies, options
from tests.studies.trainers.combinations import combinations
from tests.studies.trainers.report import COMMAND, LINES, MARKDOWN, render

_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
_IMPORTED = (  # what takes long
    *("transformers.trainer_seq2seq", "transformers.models.llama.modeling_llama"),
    *("transformers.models.bert.modeling_bert", "transformers.models.gpt2.modeling_gpt2"),
    *("trl.trainer.sft_trainer", "trl.trainer.dpo_trainer", "trl.trainer.grpo_trainer"),
    *("timm.task", "torchvision.models.detection", "lightning.pytorch", "peft"),
)
_LIMIT = 1200  # CPU seconds, after which a check is given up


def main() -> int:
    given = options(COMMAND, MARKDOWN).parse_args()
    file = given.output / LINES
    if not given.render:
        os.environ.update(_OFFLINE)
        targets = [(each.name, each.target) for each in combinations()]
        check_in_copies(targets, file, given, imported=_IMPORTED, limit=_LIMIT)
    render(read_lines(file)).write(given.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
