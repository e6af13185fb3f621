"""The training engine: batches, the loop, checkpoints, the verdict. Usable without a project."""
