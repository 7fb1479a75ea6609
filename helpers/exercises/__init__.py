"""Predict, then run; try, then check: the questions of every lesson, what an answer earns, and the tally."""

from helpers.exercises.core import check, predict, reset, tally

__all__ = ["check", "predict", "reset", "tally"]
