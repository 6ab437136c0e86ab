"""Names that PyTorch has for things of a loop, in messages."""

from symmetry.training.events import LoopWords

WORDS = LoopWords(
    framework="PyTorch",
    worker="torch.utils.data.get_worker_info()",
    worker_seed="torch.initial_seed()",
    draw="torch.rand",
    copies="torch.tensor() and clone() make it; torch.from_numpy() makes none",
    no_gradients="torch.no_grad()",
    save="torch.save",
    seeded=frozenset({"random", "numpy.random", "torch"}),
)
