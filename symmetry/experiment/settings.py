"""The settings of the experiment."""

from dataclasses import dataclass

import numpy as np

from symmetry.base.errors import SymmetryError


@dataclass(frozen=True)
class Settings:
    """The settings of the experiment; the defaults are its own."""

    hidden: int = 200
    iterations: int = 100
    lr: float = 0.01  # finite and positive in the dtype
    dtype: str = "float32"  # or float64
    init: str = "zero"  # or random
    seed: int = 0  # of the random start, here or in the control
    collapsed: bool = False  # train the collapsed network alone, without control
    control: bool = True  # run the control after a zero start

    def __post_init__(self) -> None:
        with np.errstate(over="ignore", under="ignore"):
            lr = np.dtype(self.dtype).type(self.lr)
        if not 0 < lr < np.inf:
            raise SymmetryError(
                f"the learning rate must be finite and positive in {self.dtype}, "
                f"and {self.lr} is {lr} there"
            )
