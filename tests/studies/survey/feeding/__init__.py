"""The batches that models of transformers are fed, made from the signatures of their forwards."""
