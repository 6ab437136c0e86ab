"""Dispatch modes: what changes or records the operations of PyTorch."""
