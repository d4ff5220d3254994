"""How well a model is likely to answer a prompt: lean, learned offline, shrunk to what is known."""
