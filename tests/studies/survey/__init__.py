"""A survey of the architectures of transformers and timm, each tiny."""
