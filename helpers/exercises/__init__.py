"""Predict, then run; try, then check: the questions of every lesson, what an answer earns, and the tally."""

from helpers.exercises.core import check, predict, tally

__all__ = ["check", "predict", "tally"]
