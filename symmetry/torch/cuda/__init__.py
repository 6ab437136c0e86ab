"""CUDA for scripts on machines without a GPU: devices become the CPU where they enter PyTorch."""
