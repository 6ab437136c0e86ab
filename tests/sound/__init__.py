"""Sound trainers: whatever they do, they treat equal hidden units equally, bit for bit.

None of the invariants that apply to them may accuse them. `exact` holds the parts they are made of.
"""

from __future__ import annotations

# The imports fill the list.
from tests.sound import data, interface, numerics, objectives, optimisers, vacuous  # noqa: F401
from tests.sound.entry import ENTRIES, Sound

SOUND: tuple[Sound, ...] = tuple(ENTRIES)
