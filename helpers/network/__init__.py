"""Part II, in PyTorch: networks, hooks, running, training, devices and checkpoints."""
