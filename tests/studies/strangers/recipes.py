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
_GANS = (
    *("gan", "cgan", "dcgan", "lsgan", "infogan", "wgan", "ebgan", "dragan", "softmax_gan", "sgan"),
    *("aae", "bgan", "relativistic_gan", "wgan_div", "began"),
)
_TASKS = (  # of cleanrl: name, script, whether it uses cleanrl_utils, its arguments
    ("c51", "c51", True, ("--learning-starts", "200", "--total-timesteps", "2000")),
    ("pqn", "pqn", False, ("--num-steps", "32", "--total-timesteps", "2000")),
    *(
        (
            name,
            f"{name}_continuous_action",
            True,
            (
                *("--env-id", "MountainCarContinuous-v0", "--learning-starts", "200"),
                *("--total-timesteps", "800"),
            ),
        )
        for name in ("ddpg", "td3", "sac")
    ),
    *(
        (
            f"{name}-continuous",
            f"{name}_continuous_action",
            False,
            ("--env-id", "Pendulum-v1", "--num-steps", "128", "--total-timesteps", "2000"),
        )
        for name in ("ppo", "rpo")
    ),
)

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
    *(
        Recipe(
            name.replace("_", "-"),
            "eriklindernoren/PyTorch-GAN",
            "36d3c77e5ff20ebe0aeefd322326a134a279b93e",
            f"{name}.py",
            "vision",
            2021,
            folder=f"implementations/{name}",
            data=made_up.mnist("data/mnist"),
            packages=("scipy",),
            cuda=True,
            round=2,
        )
        for name in _GANS
    ),
    *(
        Recipe(
            f"cleanrl-{name}",
            "vwxyzjn/cleanrl",
            "fe8d8a03c41a7ef5b523e2e354bd01c363e786bb",
            f"cleanrl/{script}.py",
            "RL",
            2026,
            arguments,
            path=path,
            packages=("gymnasium", "tyro", "tensorboard"),
            cuda=True,
            round=2,
        )
        for name, script, path, arguments in _TASKS
    ),
    *(
        Recipe(
            f"examples-{folder.replace('_', '-')}",
            "pytorch/examples",
            "77f55b912142e11fcfdf5b530231fb9c52f181e8",
            "main.py",
            "vision",
            2025,
            arguments,
            folder=folder,
            data=made_up.mnist(data),
            round=2,
        )
        for folder, data, arguments in (
            ("mnist", "data", ("--test-batch-size", "100")),
            ("vae", "data", ()),
            ("mnist_rnn", "data", ()),
            ("siamese_network", "data", ()),
            ("mnist_forward_forward", "mnist_forward_forward/data", ("--train_size", "500")),
        )
    ),
    *(
        Recipe(
            f"examples-{folder}",
            "pytorch/examples",
            "77f55b912142e11fcfdf5b530231fb9c52f181e8",
            "main.py",
            "graphs",
            2025,
            folder=folder,
            data=made_up.citations(f"{folder}/cora"),
            changes=changes,
            packages=("requests",),
            round=2,
        )
        for folder, changes in (
            (
                "gcn",
                (
                    Change(
                        "gcn/main.py",
                        "    with requests.get(cora_url, stream=True) as tgz_file:\n",
                        "    if False:\n",
                        "no package index has Cora",
                    ),
                ),
            ),
            ("gat", ()),
        )
    ),
    *(
        Recipe(
            f"examples-{name.replace('_', '-')}",
            "pytorch/examples",
            "77f55b912142e11fcfdf5b530231fb9c52f181e8",
            f"{name}.py",
            "RL",
            2025,
            folder="reinforcement_learning",
            packages=("gymnasium",),
            round=2,
        )
        for name in ("reinforce", "actor_critic")
    ),
    Recipe(
        "examples-regression",
        "pytorch/examples",
        "77f55b912142e11fcfdf5b530231fb9c52f181e8",
        "main.py",
        "tables",
        2025,
        folder="regression",
        round=2,
    ),
    Recipe(
        "examples-dcgan",
        "pytorch/examples",
        "77f55b912142e11fcfdf5b530231fb9c52f181e8",
        "main.py",
        "vision",
        2025,
        (
            *("--dataset", "fake", "--workers", "0", "--batchSize", "8"),
            *("--ngf", "8", "--ndf", "8"),
        ),
        folder="dcgan",
        round=2,
    ),
    Recipe(
        "examples-super-resolution",
        "pytorch/examples",
        "77f55b912142e11fcfdf5b530231fb9c52f181e8",
        "main.py",
        "vision",
        2025,
        ("--upscale_factor", "3", "--batchSize", "2", "--testBatchSize", "2", "--threads", "0"),
        folder="super_resolution",
        data=made_up.both(
            made_up.images("super_resolution/dataset/BSDS300/images/train"),
            made_up.images("super_resolution/dataset/BSDS300/images/test", number=4),
        ),
        round=2,
    ),
    Recipe(
        "sam",
        "davda54/sam",
        "3c3afdbd71cff2462ec91c734b3d1170bd0f3707",
        "train.py",
        "vision",
        2022,
        ("--depth", "10", "--width_factor", "1", "--batch_size", "16", "--threads", "0"),
        folder="example",
        data=made_up.images_module("example/made_up_images.py"),
        changes=(
            Change(
                "example/data/cifar.py",
                "torchvision.datasets.CIFAR10(",
                "__import__('made_up_images').CIFAR10(",
                _NO_CIFAR,
            ),
        ),
        cuda=True,
        round=2,
    ),
    Recipe(
        "mixup",
        "facebookresearch/mixup-cifar10",
        "eaff31ab397a90fbc0a4aac71fb5311144b3608b",
        "train.py",
        "vision",
        2018,
        ("--model", "LeNet", "--batch-size", "16", "--seed", "20170922"),
        data=made_up.images_module(),
        changes=(
            Change(
                "train.py",
                "import torchvision.datasets as datasets",
                "import made_up_images as datasets",
                _NO_CIFAR,
            ),
            Change(
                "utils.py",
                "_, term_width = os.popen('stty size', 'r').read().split()",
                "term_width = 80",
                "a check has no terminal",
            ),
        ),
        cuda=True,
        round=2,
    ),
    Recipe(
        "cutmix",
        "clovaai/CutMix-PyTorch",
        "2d8eb68faff7fe4962776ad51d175c3b01a25734",
        "train.py",
        "vision",
        2020,
        (
            *("--net_type", "resnet", "--dataset", "cifar100", "--depth", "20", "--no-bottleneck"),
            *("--batch_size", "16", "-j", "0", "--beta", "1.0", "--cutmix_prob", "0.5"),
            *("--no-verbose", "--lr", "0.25"),
        ),
        data=made_up.images_module(),
        changes=(
            Change(
                "train.py",
                "import torchvision.datasets as datasets",
                "import made_up_images as datasets",
                _NO_CIFAR,
            ),
            Change("train.py", "np.int(", "int(", "NumPy has no int of its own any more"),
        ),
        cuda=True,
        round=2,
    ),
    Recipe(
        "simclr-sthalles",
        "sthalles/SimCLR",
        "1848fc934ad844ae630e6c452300433fe99acfd9",
        "run.py",
        "vision",
        2021,
        ("-dataset-name", "cifar10", "-b", "8", "-j", "0", "--fp16-precision"),
        data=made_up.images_module(),
        changes=(
            Change(
                "data_aug/contrastive_learning_dataset.py",
                "from torchvision import transforms, datasets",
                "from torchvision import transforms; import made_up_images as datasets",
                _NO_CIFAR,
            ),
        ),
        packages=("tensorboard", "tqdm", "pyyaml"),
        cuda=True,
        round=2,
    ),
    Recipe(
        "minrf",
        "cloneofsimo/minRF",
        "4fc10e0cc8ba976152c7936a1af9717209f03e18",
        "rf.py",
        "diffusion",
        2024,
        data=made_up.mnist("data"),
        packages=("wandb", "tqdm"),
        cuda=True,
        round=2,
    ),
    *(
        Recipe(
            f"vq-{name.replace('_', '-')}",
            "lucidrains/vector-quantize-pytorch",
            "0d7d1aa83334b6f2f8a40306bece75cdaa13d065",
            f"examples/{name}.py",
            "vision",
            2026,
            ("--batch_size", "16"),
            path=True,
            data=made_up.mnist("data", "FashionMNIST"),
            changes=(
                Change(
                    f"examples/{name}.py", "~/data/fashion_mnist", "data", "a folder of its own"
                ),
            ),
            packages=("einops", "einx", "fire", "tqdm"),
            cuda=True,
            round=2,
        )
        for name in (
            *("autoencoder", "autoencoder_fsq", "autoencoder_lfq", "autoencoder_sim_vq"),
            *("autoencoder_hq", "autoencoder_fvq", "autoencoder_fsp"),
        )
    ),
    *(
        Recipe(
            f"td3-{policy.lower()}",
            "sfujim/TD3",
            "34770ccdcb51df6f6c7d85c1ba7e40d71b940d16",
            "main.py",
            "RL",
            2023,
            (
                *("--policy", policy, "--env", "Pendulum-v1", "--start_timesteps", "300"),
                *("--max_timesteps", "2000"),
            ),
            data=made_up.old_gym(),
            packages=("gymnasium",),
            cuda=True,
            round=2,
        )
        for policy in ("TD3", "DDPG", "OurDDPG")
    ),
    *(
        Recipe(
            f"sac-{policy.lower()}",
            "pranz24/pytorch-soft-actor-critic",
            "c1805660b3961694be54079a355155a5cad492f5",
            "main.py",
            "RL",
            2025,
            (
                *("--policy", policy, "--env-name", "Pendulum-v1", "--start_steps", "300"),
                *("--batch_size", "64", "--num_steps", "2000"),
            ),
            data=made_up.old_gym(),
            packages=("gymnasium", "tensorboard"),
            cuda=True,
            round=2,
        )
        for policy in ("Gaussian", "Deterministic")
    ),
    Recipe(
        "gin",
        "weihua916/powerful-gnns",
        "9a2ce8ac3e99278307093a464a95caf0fb04b602",
        "main.py",
        "graphs",
        2021,
        ("--iters_per_epoch", "2", "--batch_size", "8"),
        data=made_up.labelled_graphs("dataset/MUTAG/MUTAG.txt"),
        packages=("networkx", "scikit-learn", "tqdm"),
        cuda=True,
        round=2,
    ),
    Recipe(
        "gat-cora",
        "gordicaleksa/pytorch-GAT",
        "39c8f0ee634477033e8b1a6e9a6da3c7ed71bbd1",
        "training_script_cora.py",
        "graphs",
        2021,
        ("--num_of_epochs", "20", "--should_test"),
        packages=("igraph", "scipy", "networkx", "matplotlib", "tensorboard"),
        cuda=True,
        round=2,
    ),
    Recipe(
        "vq-vae-2",
        "rosinality/vq-vae-2-pytorch",
        "ef5f67c46f93624163776caec9e0d95063910eca",
        "train_vqvae.py",
        "vision",
        2021,
        ("--size", "32", "pictures"),
        data=made_up.images("pictures/all"),
        changes=(
            Change(
                "train_vqvae.py",
                " range=(-1, 1)",
                " value_range=(-1, 1)",
                "torchvision has renamed it",
            ),
        ),
        packages=("tqdm",),
        cuda=True,
        round=2,
    ),
    Recipe(
        "glow",
        "rosinality/glow-pytorch",
        "97081ff115a694cf04aeedbd58447f33d242c879",
        "train.py",
        "vision",
        2020,
        (
            *("--batch", "4", "--img_size", "16", "--n_flow", "2", "--n_block", "2"),
            *("--n_sample", "4", "pictures"),
        ),
        data=made_up.images("pictures/all"),
        changes=(
            Change(
                "train.py",
                " range=(-0.5, 0.5)",
                " value_range=(-0.5, 0.5)",
                "torchvision has renamed it",
            ),
        ),
        packages=("scipy", "tqdm"),
        cuda=True,
        round=2,
    ),
    Recipe(
        "examples-ddp-single-gpu",
        "pytorch/examples",
        "77f55b912142e11fcfdf5b530231fb9c52f181e8",
        "single_gpu.py",
        "tables",
        2025,
        ("4", "2"),
        folder="distributed/ddp-tutorial-series",
        cuda=True,
        round=2,
    ),
    Recipe(
        "examples-hogwild",
        "pytorch/examples",
        "77f55b912142e11fcfdf5b530231fb9c52f181e8",
        "main.py",
        "vision",
        2025,
        ("--epochs", "1"),
        folder="mnist_hogwild",
        data=made_up.mnist("data"),
        cuda=True,
        round=2,
    ),
    Recipe(
        "examples-imagenet",
        "pytorch/examples",
        "77f55b912142e11fcfdf5b530231fb9c52f181e8",
        "main.py",
        "vision",
        2025,
        ("--dummy", "-a", "squeezenet1_1", "-b", "4", "-j", "0"),
        folder="imagenet",
        cuda=True,
        round=2,
    ),
    Recipe(
        "otcfm-cifar",
        "atong01/conditional-flow-matching",
        "cacd4dc8a5b6f50de63780e8f73754c9371f15db",
        "train_cifar10.py",
        "diffusion",
        2026,
        (
            *("--num_channel", "32", "--batch_size", "4", "--num_workers", "0"),
            *("--save_step", "0"),
        ),
        folder="examples/images/cifar10",
        path=True,
        data=made_up.images_module(),
        changes=(
            Change(
                "examples/images/cifar10/train_cifar10.py",
                "from torchvision import datasets, transforms",
                "from torchvision import transforms; import made_up_images as datasets",
                _NO_CIFAR,
            ),
            Change(
                "examples/images/cifar10/utils_cifar.py",
                "from torchdyn.core import NeuralODE",
                "NeuralODE = None",
                "it is only used to sample",
            ),
        ),
        packages=("absl-py", "POT", "tqdm"),
        cuda=True,
        round=2,
    ),
    Recipe(
        "simclr-leftthomas",
        "leftthomas/SimCLR",
        "cee178b6cab1efab67f8b527a0cff91c9e793f5c",
        "main.py",
        "vision",
        2020,
        ("--batch_size", "4", "--k", "4"),
        data=made_up.images_module(),
        changes=(
            Change(
                "utils.py",
                "from torchvision.datasets import CIFAR10",
                "from made_up_images import CIFAR10",
                _NO_CIFAR,
            ),
        ),
        packages=("thop", "pandas", "tqdm"),
        cuda=True,
        round=2,
    ),
    *(
        Recipe(
            f"cleanrl-{name}-jax",
            "vwxyzjn/cleanrl",
            "fe8d8a03c41a7ef5b523e2e354bd01c363e786bb",
            f"cleanrl/{script}_jax.py",
            "RL",
            2026,
            arguments,
            path=True,
            packages=("gymnasium", "tyro", "tensorboard", "flax", "optax"),
            round=2,
        )
        for name, script, _, arguments in _TASKS
        if name in ("c51", "ddpg", "td3")
    ),
    *(
        Recipe(
            f"morvan-{script.partition('_')[2].lower().replace('_', '-')}",
            "MorvanZhou/PyTorch-Tutorial",
            "dbe154a9e56635e51c6b0c2ccea8ae36cfb585a7",
            f"{script}.py",
            field,
            2022,
            folder="tutorial-contents",
            data=made_up.mnist("tutorial-contents/mnist"),
            packages=("matplotlib", "scikit-learn"),
            round=3,
        )
        for script, field in (
            ("302_classification", "tables"),
            ("306_optimizer", "tables"),
            ("401_CNN", "vision"),
            ("402_RNN_classifier", "vision"),
            ("403_RNN_regressor", "tables"),
            ("404_autoencoder", "vision"),
            ("406_GAN", "tables"),
            ("406_conditional_GAN", "tables"),
            ("503_dropout", "tables"),
            ("504_batch_normalization", "tables"),
        )
    ),
    Recipe(
        "ppo-nikhil",
        "nikhilbarhate99/PPO-PyTorch",
        "728cce83d7ab628fe2634eabcdf3239997eb81dd",
        "train.py",
        "RL",
        2023,
        data=made_up.old_gym(),
        changes=(
            Change("train.py", "import roboschool\n", "", "no package index has it"),
            Change(
                "train.py",
                '"RoboschoolWalker2d-v1"',
                '"Pendulum-v1"',
                "Roboschool is in no package index",
            ),
        ),
        packages=("gymnasium",),
        cuda=True,
        round=3,
    ),
    Recipe(
        "ddpm-dome272",
        "dome272/Diffusion-Models-pytorch",
        "be352208d0576039fec061238c0e4385a562a2d4",
        "ddpm.py",
        "diffusion",
        2022,
        data=made_up.images("pictures/all"),
        changes=(
            Change(
                "ddpm.py",
                'r"C:\\Users\\dome\\datasets\\landscape_img_folder"',
                '"pictures"',
                "a folder of its author",
            ),
        ),
        packages=("matplotlib", "tqdm", "tensorboard"),
        cuda=True,
        round=3,
    ),
    Recipe(
        "cifar-kuangliu",
        "kuangliu/pytorch-cifar",
        "49b7aa97b0c12fe0d4054e670403a16b6b834ddd",
        "main.py",
        "vision",
        2021,
        data=made_up.images_module(),
        changes=(
            Change(
                "main.py",
                "torchvision.datasets.CIFAR10(",
                "__import__('made_up_images').CIFAR10(",
                _NO_CIFAR,
            ),
            Change(
                "utils.py",
                "_, term_width = os.popen('stty size', 'r').read().split()",
                "term_width = 80",
                "a check has no terminal",
            ),
        ),
        cuda=True,
        round=3,
    ),
)
