"""What each answer is worth, judged by hand before anything was mended, and the proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["true", "false", "useless", "unfair"]


@dataclass(frozen=True)
class Judgement:
    """One answer as it came, and what became of it."""

    came: str  # its first line, or the problem and the notes that matter
    kind: Kind  # useless: true, and of no use; unfair: exit 2 for a reason of the tool's own
    proof: str
    mended: bool = False


JUDGEMENTS: dict[str, Judgement] = {
    "pygcn": Judgement(
        "sound (17 checks), model/samples lost to an error of its own",
        "true",
        "read: one loss of the labelled papers, dropout and modes are switched. The lost check "
        "took the largest entry of a sparse tensor",
    ),
    "pygat": Judgement(
        "sound so far: 15 of 19 checks within 120 s",
        "true",
        "read: as pygcn, with attention over all pairs of papers",
    ),
    "cgcnn": Judgement("sound (20 checks)", "true", "read: the loop of pytorch/examples"),
    "hamiltonian-nn": Judgement(
        "sound, but for 1 layer without equal units (15 checks)",
        "true",
        "read: the two outputs are the parts of a field, hnn.py:28 splits them",
    ),
    "tiny-diffusion": Judgement(
        "exit 2: the check disturbs the script: the random numbers of Python is not the same",
        "unfair",
        "a library draws from Python's generator as it is imported, which a check does once",
        mended=True,
    ),
    "x-transformers": Judgement(
        "sound so far: 2 of 38 checks within 120 s",
        "useless",
        "19 million parameters, four micro-batches: two checks took all the time",
    ),
    "transfusion": Judgement(
        "sound (17 checks), run on the CPU in place of CUDA", "true", "read: one loss, no modes"
    ),
    "transfusion-mnist": Judgement(
        "exit 2: the check disturbs the script: the loss is not the same in update 1",
        "unfair",
        "not looked into yet: the first loss of the watched run is another one",
    ),
    "wgan-gp": Judgement(
        "sound (17 checks)",
        "true",
        "read: the critic's loss reaches the generator, whose zero_grad() comes behind it",
    ),
}

NOT_RUN: dict[str, str] = {}  # scripts that were drawn and cannot start here, and why
