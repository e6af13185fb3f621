"""Documents cut into chunks, and the chunks that fit a question best: usable as a library, without a project."""
