"""Scripts that do one job with one tool, each in a process and an environment of its own."""
