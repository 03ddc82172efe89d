"""How networks learn: losses, gradients, optimizers."""
