"""The scripts of the study: where each lies, how it is run, and what was changed.

The rule by which they are drawn, written down before any of them was opened: for each field,
repositories that are known for it, famous and little known ones in turn; in each of them the
training script that its README runs, and if it has many, the first one that an index of public code
returns. Repositories of earlier studies and lists do not count. Nothing is left out for its answer:
a script that cannot start here (a kernel for GPUs, a download, a package that no index has) is
listed as `NOT_RUN`, and another one is drawn.

A change puts made-up data in the place of a download, or a name in the place of one that a newer
library has renamed. It never touches the training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.studies.strangers import made_up
from tests.studies.strangers.made_up import Data

Field = Literal[
    "vision", "text", "speech", "graphs", "tables", "RL", "diffusion", "RLHF", "scientific"
]


@dataclass(frozen=True)
class Change:
    """A text of a file that is replaced, and why."""

    file: str
    old: str
    new: str
    why: str


@dataclass(frozen=True)
class Recipe:
    """How one script is brought and checked."""

    name: str
    repository: str  # OWNER/NAME on GitHub
    commit: str
    script: str  # its path, or -m and a module
    field: Field
    year: int  # of the commit
    arguments: tuple[str, ...] = ()  # those of the script
    folder: str = ""  # where it is run
    path: bool = False  # whether its README installs the repository as a package
    data: Data | None = None
    changes: tuple[Change, ...] = ()
    packages: tuple[str, ...] = ()  # that it needs beside PyTorch, NumPy and torchvision
    cuda: bool = False  # whether it calls CUDA or ranks
    round: int = 1


_NO_CIFAR = "no package index has CIFAR"

RECIPES = (
    Recipe(
        "pygcn",
        "tkipf/pygcn",
        "1600b5b748b3976413d1e307540ccc62605b4d6d",
        "../pygcn/train.py",
        "graphs",
        2019,
        ("--epochs", "20"),
        folder="pygcn",
        path=True,
        data=made_up.citations("data/cora"),
        packages=("scipy",),
        cuda=True,
    ),
    Recipe(
        "pygat",
        "Diego999/pyGAT",
        "3664f2dc90cbf971564c0bf186dc794f12446d0c",
        "train.py",
        "graphs",
        2021,
        ("--epochs", "10"),
        data=made_up.citations("data/cora", papers=1600),
        packages=("scipy",),
        cuda=True,
    ),
    Recipe(
        "cgcnn",
        "txie-93/cgcnn",
        "f42ab233c4ee0c416879d6bc2d22a264418413ad",
        "main.py",
        "scientific",
        2021,
        (
            *("--train-size", "6", "--val-size", "2", "--test-size", "2", "--batch-size", "3"),
            "data/sample-regression",
        ),
        packages=("pymatgen", "scikit-learn"),
        cuda=True,
    ),
    Recipe(
        "hamiltonian-nn",
        "greydanus/hamiltonian-nn",
        "bcc362235dc623ffe48f22ccc22417e02e9803b4",
        "experiment-spring/train.py",
        "scientific",
        2021,
        ("--verbose",),
        packages=("autograd", "scipy", "imageio"),
        changes=(
            Change(
                "utils.py",
                "import scipy, scipy.misc, scipy.integrate",
                "import scipy, scipy.integrate",
                "SciPy has no misc any more",
            ),
        ),
    ),
    Recipe(
        "tiny-diffusion",
        "tanelp/tiny-diffusion",
        "726b6bbbf2c9e3d23dff9eaea2fda10d0af6a78c",
        "ddpm.py",
        "diffusion",
        2024,
        packages=("pandas", "scikit-learn"),
    ),
    Recipe(
        "x-transformers",
        "lucidrains/x-transformers",
        "9252ed7838021ee61e6c5be0930b3a9a88efdf06",
        "train_enwik8.py",
        "text",
        2026,
        ("--seq_len", "128", "--cpu", "True"),
        data=made_up.bytes_of_text("data/enwik8.gz"),
        packages=("einops", "fire", "wandb", "accelerate", "loguru", "einx"),
        cuda=True,
    ),
    Recipe(
        "x-transformers-parity",
        "lucidrains/x-transformers",
        "9252ed7838021ee61e6c5be0930b3a9a88efdf06",
        "train_parity.py",
        "text",
        2026,
        packages=("einops", "loguru", "einx"),
        cuda=True,
    ),
    Recipe(
        "transfusion",
        "lucidrains/transfusion-pytorch",
        "3dab4c2e4ff0ebad3a72f731cc103621448e321b",
        "train_toy.py",
        "diffusion",
        2026,
        packages=("einops", "ema-pytorch", "rotary-embedding-torch", "torchdiffeq", "loguru"),
        cuda=True,
    ),
    Recipe(
        "transfusion-mnist",
        "lucidrains/transfusion-pytorch",
        "3dab4c2e4ff0ebad3a72f731cc103621448e321b",
        "train_mnist.py",
        "diffusion",
        2026,
        data=made_up.mnist("data/mnist"),
        packages=("einops", "ema-pytorch", "rotary-embedding-torch", "torchdiffeq", "accelerate"),
        cuda=True,
    ),
    Recipe(
        "wgan-gp",
        "eriklindernoren/PyTorch-GAN",
        "36d3c77e5ff20ebe0aeefd322326a134a279b93e",
        "wgan_gp.py",
        "vision",
        2021,
        folder="implementations/wgan_gp",
        data=made_up.mnist("data/mnist"),
        cuda=True,
    ),
    Recipe(
        "acgan",
        "eriklindernoren/PyTorch-GAN",
        "36d3c77e5ff20ebe0aeefd322326a134a279b93e",
        "acgan.py",
        "vision",
        2021,
        folder="implementations/acgan",
        data=made_up.mnist("data/mnist"),
        cuda=True,
    ),
    Recipe(
        "resnet-cifar10",
        "akamaster/pytorch_resnet_cifar10",
        "d5489e8995e81e91ce6b1d69dcc98ad579b0b153",
        "trainer.py",
        "vision",
        2021,
        ("--arch", "resnet20", "-b", "32"),
        data=made_up.images_module(),
        changes=(
            Change(
                "trainer.py",
                "import torchvision.datasets as datasets",
                "import made_up_images as datasets",
                _NO_CIFAR,
            ),
        ),
        cuda=True,
    ),
    Recipe(
        "supcontrast",
        "HobbitLong/SupContrast",
        "66a8fe53880d6a1084b2e4e0db0a019024d6d41a",
        "main_supcon.py",
        "vision",
        2023,
        ("--batch_size", "16", "--num_workers", "0", "--model", "resnet18", "--cosine"),
        data=made_up.both(
            made_up.images_module(),
            made_up.lines(
                "tensorboard_logger.py",
                "class Logger:",
                "    def __init__(self, logdir, flush_secs=2): pass",
                "    def log_value(self, name, value, step): pass",
            ),
        ),
        changes=(
            Change(
                "main_supcon.py",
                "from torchvision import transforms, datasets",
                "from torchvision import transforms; import made_up_images as datasets",
                _NO_CIFAR,
            ),
        ),
        cuda=True,
    ),
    Recipe(
        "cifar100",
        "weiaicunzai/pytorch-cifar100",
        "11d8418f415b261e4ae3cb1ffe20d06ec95b98e4",
        "train.py",
        "vision",
        2022,
        ("-net", "squeezenet", "-b", "16"),
        data=made_up.images_module(),
        changes=(
            Change(
                "utils.py",
                "torchvision.datasets.CIFAR100(",
                "__import__('made_up_images').CIFAR100(",
                _NO_CIFAR,
            ),
        ),
        packages=("tensorboard",),
        cuda=True,
    ),
    Recipe(
        "unet",
        "milesial/Pytorch-UNet",
        "21d7850f2af30a9695bbeea75f3136aa538cfc4a",
        "train.py",
        "vision",
        2024,
        ("--batch-size", "2", "--scale", "0.5"),
        data=made_up.images("data/imgs", masks="data/masks"),
        packages=("wandb", "tqdm"),
        cuda=True,
    ),
    Recipe(
        "ddpm-cifar",
        "w86763777/pytorch-ddpm",
        "f804ccbd58a758b07f79a3b9ecdfb1beb67258f6",
        "main.py",
        "diffusion",
        2024,
        (
            *("--train", "--batch_size", "4", "--ch", "32", "--num_workers", "0"),
            *("--sample_size", "4", "--T", "20"),
        ),
        data=made_up.images_module(),
        changes=(
            Change(
                "main.py",
                "from torchvision.datasets import CIFAR10",
                "from made_up_images import CIFAR10",
                _NO_CIFAR,
            ),
            Change(
                "main.py",
                "from score.both import get_inception_and_fid_score",
                "get_inception_and_fid_score = None",
                "its weights are a download; it is only used to evaluate",
            ),
        ),
        packages=("absl-py", "tensorboardX"),
        cuda=True,
    ),
    Recipe(
        "bert",
        "codertimo/BERT-pytorch",
        "d10dc4f9d5a6f2ca74380f62039526eb7277c671",
        "-m bert_pytorch",
        "text",
        2018,
        (
            *("-c", "corpus.txt", "-t", "corpus.txt", "-v", "vocab.pickle", "-o", "bert.model"),
            *("-hs", "64", "-l", "2", "-a", "4", "-b", "8", "-w", "0", "-e", "2"),
        ),
        data=made_up.both(
            made_up.pairs_of_sentences("corpus.txt"),
            lambda folder: made_up.vocabulary(folder, "corpus.txt", "vocab.pickle"),
        ),
        changes=(
            Change(
                "bert_pytorch/__main__.py",
                "            trainer.test(epoch)",
                "            trainer.test(epoch)\n\n\ntrain()",
                "the command that its installation makes calls this function",
            ),
        ),
        cuda=True,
    ),
    Recipe(
        "text-cnn",
        "Shawn1993/cnn-text-classification-pytorch",
        "93415f08168a1ae60635320569f6eca0ae3a40bb",
        "main.py",
        "text",
        2026,
        ("-epochs", "3"),
        data=made_up.both(
            made_up.text("rt-polaritydata/rt-polarity.pos", 200),
            made_up.text("rt-polaritydata/rt-polarity.neg", 200),
        ),
        cuda=True,
    ),
    Recipe(
        "char-rnn",
        "spro/char-rnn.pytorch",
        "282bcb6b15ab3929d6a588b455cfc0f19f32add4",
        "train.py",
        "text",
        2017,
        ("words.txt", "--chunk_len", "40", "--batch_size", "10"),
        data=made_up.text("words.txt"),
        packages=("unidecode", "tqdm"),
        cuda=True,
    ),
    Recipe(
        "nlp-tutorial-seq2seq",
        "graykode/nlp-tutorial",
        "d05e31ec81d56d70c1db89b99ab07e948f7ebc11",
        "Seq2Seq.py",
        "text",
        2021,
        folder="4-1.Seq2Seq",
    ),
    Recipe(
        "nlp-tutorial-transformer",
        "graykode/nlp-tutorial",
        "d05e31ec81d56d70c1db89b99ab07e948f7ebc11",
        "Transformer.py",
        "text",
        2021,
        folder="5-1.Transformer",
    ),
    Recipe(
        "minimind-pretrain",
        "jingyaogong/minimind",
        "d65ef2c00ebc6082f9df11541e1b191655eddb00",
        "train_pretrain.py",
        "text",
        2026,
        (
            *("--hidden_size", "64", "--num_hidden_layers", "2", "--max_seq_len", "48"),
            *("--batch_size", "4", "--num_workers", "0", "--data_path", "../dataset/made_up.jsonl"),
        ),
        folder="trainer",
        data=made_up.json_lines("dataset/made_up.jsonl", text=made_up.sentence()),
        packages=("datasets", "transformers"),
        cuda=True,
    ),
    Recipe(
        "minimind-dpo",
        "jingyaogong/minimind",
        "d65ef2c00ebc6082f9df11541e1b191655eddb00",
        "train_dpo.py",
        "RLHF",
        2026,
        (
            *("--hidden_size", "64", "--num_hidden_layers", "2", "--max_seq_len", "64"),
            *("--batch_size", "4", "--num_workers", "0", "--from_weight", "none"),
            *("--data_path", "../dataset/made_up.jsonl"),
        ),
        folder="trainer",
        data=made_up.json_lines(
            "dataset/made_up.jsonl", chosen=made_up.conversation(), rejected=made_up.conversation()
        ),
        packages=("datasets", "transformers"),
        cuda=True,
    ),
    Recipe(
        "fm",
        "rixwew/pytorch-fm",
        "f74ad19771eda104e99874d19dc892e988ec53fa",
        "main.py",
        "tables",
        2020,
        (
            *("--dataset_name", "movielens1M", "--dataset_path", "ratings.dat"),
            *("--model_name", "dfm", "--batch_size", "64", "--device", "cpu", "--epoch", "2"),
        ),
        folder="examples",
        path=True,
        data=made_up.both(
            made_up.ratings("examples/ratings.dat"), made_up.folders("examples/chkpt")
        ),
        changes=(
            Change(
                "torchfm/dataset/movielens.py",
                "np.int)",
                "np.int64)",
                "NumPy has no int of its own any more",
            ),
            Change(
                "torchfm/dataset/movielens.py",
                "np.long)",
                "np.int64)",
                "NumPy has no long of its own any more",
            ),
        ),
        packages=("pandas", "scikit-learn", "lmdb"),
        cuda=True,
    ),
    Recipe(
        "cleanrl-dqn",
        "vwxyzjn/cleanrl",
        "fe8d8a03c41a7ef5b523e2e354bd01c363e786bb",
        "cleanrl/dqn.py",
        "RL",
        2026,
        ("--learning-starts", "200", "--total-timesteps", "2000"),
        path=True,
        packages=("gymnasium", "tyro", "tensorboard"),
        cuda=True,
    ),
    Recipe(
        "cleanrl-ppo",
        "vwxyzjn/cleanrl",
        "fe8d8a03c41a7ef5b523e2e354bd01c363e786bb",
        "cleanrl/ppo.py",
        "RL",
        2026,
        ("--num-steps", "32", "--total-timesteps", "2000"),
        packages=("gymnasium", "tyro", "tensorboard"),
        cuda=True,
    ),
    Recipe(
        "cleanrl-dqn-jax",
        "vwxyzjn/cleanrl",
        "fe8d8a03c41a7ef5b523e2e354bd01c363e786bb",
        "cleanrl/dqn_jax.py",
        "RL",
        2026,
        ("--learning-starts", "200", "--total-timesteps", "2000"),
        path=True,
        packages=("gymnasium", "tyro", "tensorboard", "flax", "optax"),
    ),
)
