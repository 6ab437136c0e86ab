"""Each head of transformers that reads text: accumulated gradients, and packed documents."""
