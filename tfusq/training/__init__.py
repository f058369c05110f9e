"""Training a codec: the loss, patches, checkpoints, and the training loop."""
