"""Trials: small trainings that are measured and thrown away, to say what data, base or settings would bring."""
