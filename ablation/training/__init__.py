"""How a chain learns: base model, trainer, links, checkpoints."""
