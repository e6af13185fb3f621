"""How good are these answers: metrics, 95% intervals, paired tests, and how many rows it would take to say.

Usable as a library without a project: `measure` turns references and answers into one statistic a
metric, `intervals.score` gives a Score with its interval, `paired.difference` compares two models.
"""
