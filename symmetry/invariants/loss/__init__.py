"""Invariants of losses: what reaches them, which label meets which output, what outputs see."""
