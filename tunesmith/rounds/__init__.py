"""Rounds of a project beside each other, and going back to one of them."""
