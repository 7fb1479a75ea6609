"""What the tests of several lessons share: mistakes that fit any exercise, and what a prediction says."""

import itertools

from helpers.exercises.core import lesson


def printing(*arguments):
    """The mistake of printing where a value is to be returned."""
    print(len(arguments))


def endless(*_):
    """The mistake of a loop that never ends."""
    for _ in itertools.count():
        pass


def said(key):
    """All that a prediction says: its question, its options, and why each is right or wrong."""
    question = lesson(key.split("/")[0]).questions[key]
    return " ".join([question.text, *(f"{option.text} {option.why}" for option in question.options)])


def right(key):
    """The texts of the options marked right."""
    return [option.text for option in lesson(key.split("/")[0]).questions[key].options if option.right]
