"""Random numbers: the generators that all code shares, those without a seed, and our own."""
