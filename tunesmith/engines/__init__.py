"""One file for each third-party runtime; heavy imports happen inside functions."""
