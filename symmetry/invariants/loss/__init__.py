"""Laws about losses: what reaches them, which label meets which output, and what outputs see."""
