"""What is looked at: data sets, photographs, drawn digits, disturbances; the names here are those of ``sets``."""

from helpers.data.sets import CLASSES, PHOTOS, Dataset, Split, load, photo

__all__ = ["CLASSES", "PHOTOS", "Dataset", "Split", "load", "photo"]
