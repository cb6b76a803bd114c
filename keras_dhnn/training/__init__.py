"""Train networks on prepared data: an experiment becomes a model, what is frozen is encoded once, the rest fitted."""
