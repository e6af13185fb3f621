"""Finding and masking private data: usable as a library, without a project.

``find.find`` tells where private values stand in a text; ``mask.Masker`` replaces them, the same value by the same
placeholder in all texts of one example.
"""
