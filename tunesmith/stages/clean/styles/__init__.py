"""Habits of writing in which the answers of one set may differ: each file knows the forms of one, and rewrites them."""
