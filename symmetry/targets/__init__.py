"""Training steps of every make behind one interface; frameworks are imported when asked for."""
