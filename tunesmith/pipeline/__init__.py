"""What needs what, what is stale, and running it."""
