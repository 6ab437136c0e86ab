"""A script that is interrupted and resumed: what it holds, and the runs."""
