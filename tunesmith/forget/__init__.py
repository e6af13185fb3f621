"""Remove rows for good from everything that a project made: look, intend, remove, and leave a receipt."""
