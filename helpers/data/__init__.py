"""What is looked at: data sets, photographs, drawn digits, disturbances; these names are those of its modules."""

from helpers.data.folders import own_classes
from helpers.data.photographs import PHOTOS, PhotographError, own, photo, square
from helpers.data.sets import CLASSES, Dataset, Split, load

__all__ = ["CLASSES", "PHOTOS", "Dataset", "PhotographError", "Split", "load", "own", "own_classes", "photo", "square"]
