"""From an exchange of two units to the largest group: its parts, proofs and extension."""
