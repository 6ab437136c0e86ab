"""The search: which arrays of exchanged runs hold two units, and where they are unequal."""
