"""The batches of a run: its samples in another order, what is drawn for them, what a mask hides."""
