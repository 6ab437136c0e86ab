"""``Reordering`` and ``Padding``: changes of batches that must not matter to a training."""

from abc import ABC, abstractmethod
from collections.abc import Mapping


class Reordering(ABC):
    """Lets what steps draw for each sample follow a new order of the samples."""

    @abstractmethod
    def follow_samples(self, count: int) -> Mapping[str, bool]:
        """Reorder the steps' draws for each of ``count`` samples as the samples are.

        The steps that follow fill the mapping that is returned, by the user's line: whether all
        draws there for samples are put in their order.
        """


class Padding(ABC):
    """Replaces the tokens that attention masks hide: in batches, or in the calls of modules."""

    @abstractmethod
    def why_nothing_hidden(self, steps: int) -> str:
        """Say why no hidden token can be replaced in the first steps; "" if one may be.

        No step is taken. After steps that should replace hidden tokens: why none was.
        """

    @abstractmethod
    def replace_hidden(self, *, look: bool = False) -> Mapping[str, bool]:
        """Hide other tokens in the steps that follow.

        With ``look`` these steps fill the mapping that is returned: how a model may recognise
        hidden tokens without the mask, and whether that is legitimate.
        """
