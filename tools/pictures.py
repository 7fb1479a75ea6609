"""The pictures of the README, out of the stored lessons: ``python -m tools.pictures`` (``make notebooks`` runs it).

Each is named by a lesson and the first words of its alternative text, so a picture can only change with its lesson.
"""

import base64
import sys

from tools import ROOT, folds
from tools.lessons import Lesson, Refusal, chosen

FOLDER = ROOT / "docs" / "pictures"

#: File name → lesson and the first words of the picture's alternative text.
PICTURES: dict[str, tuple[str, str]] = {
    "playground": ("edge_filters", "Kernel playground"),
    "stepper": ("stride_and_padding", "Window stepper"),
    "browser": ("activations", "Activation browser"),
    "occlusion": ("occlusion", "Occlusion explorer"),
    "climb": ("maximization", "Six rows of pictures"),
    "classes": ("photographs", "Photographs faded where the map"),
}


def stored(name: str, words: str) -> bytes:
    """Return the first stored PNG of a lesson whose alternative text begins with these words.

    Raises:
        Refusal: if the lesson or the picture is not there.
    """
    for path in chosen([name]):
        for cell in Lesson(path).code:
            for alt, picture in folds.pictures(cell):
                if alt.startswith(words):
                    return base64.b64decode(picture)
    raise Refusal(
        f"The lesson {name} stores no picture that begins with {words!r}: run `make notebooks LESSON={name}`."
    )


def main() -> None:
    """Write all pictures that changed."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (lesson, words) in PICTURES.items():
        path, data = FOLDER / f"{name}.png", stored(lesson, words)
        if not path.is_file() or path.read_bytes() != data:
            path.write_bytes(data)


if __name__ == "__main__":
    try:
        main()
    except Refusal as refusal:
        sys.exit(str(refusal))
