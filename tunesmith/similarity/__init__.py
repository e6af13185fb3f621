"""Which texts are equal, nearly equal or alike. Usable without a project."""
