"""Public code, checked: scripts of strangers, models, trainers and examples of libraries."""
