"""The stages: one folder for each word that a user knows."""
