"""The pictures of the README, out of the stored lessons: ``python -m tools.pictures`` (``make notebooks`` runs it).

Each is named by a lesson and the first words of its alternative text, so a picture can only change with its lesson.
"""

from __future__ import annotations

import base64
import sys

import nbformat

from tools import ROOT

FOLDER = ROOT / "docs" / "pictures"

#: File name → lesson and the first words of the picture's alternative text.
PICTURES: dict[str, tuple[str, str]] = {
    "playground": ("edge_filters", "Kernel playground"),
    "stepper": ("stride_and_pooling", "Window stepper"),
    "browser": ("activations", "Activation browser"),
    "occlusion": ("occlusion", "Occlusion explorer"),
    "climb": ("maximization", "Five rows of pictures"),
}


def stored(lesson: str, words: str) -> bytes:
    """The first stored PNG of a lesson whose alternative text begins with these words.

    Raises:
        LookupError: if the lesson or the picture is not there.
    """
    for path in sorted((ROOT / "notebooks").glob(f"[0-9][0-9]_{lesson}.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                about = output.get("metadata", {}).get("image/png", {})
                if isinstance(about, dict) and about.get("alt", "").startswith(words):
                    return base64.b64decode(output["data"]["image/png"])
    raise LookupError(
        f"The lesson {lesson} stores no picture that begins with {words!r}: run `make notebooks LESSON={lesson}`."
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
    except LookupError as error:
        sys.exit(str(error))
