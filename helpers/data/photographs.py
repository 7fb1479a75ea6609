"""Photographs: some that ship with the libraries of the series (:func:`photo`), and your own (:func:`own`).

Both give floats in [0, 1], red, green, blue, as arrays that are yours to write into; :func:`square` cuts squares.
Photographers and licenses stand in the README.
"""

import contextlib
import difflib
import importlib.util
import io
import os
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

#: Name → the package that ships the file, and where in the package.
_PHOTO_FILES = {
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    "cat": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "astronaut": ("skimage", "data/astronaut.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "camera": ("skimage", "data/camera.png"),
    "coins": ("skimage", "data/coins.png"),
    "horse": ("skimage", "data/horse.png"),
    "hubble": ("skimage", "data/hubble_deep_field.jpg"),
    "brick": ("skimage", "data/brick.png"),
    "grass": ("skimage", "data/grass.png"),
    "gravel": ("skimage", "data/gravel.png"),
}
PHOTOS = tuple(_PHOTO_FILES)
#: Which square of a photograph: at the beginning, in the middle or at the end of its longer side.
PARTS = {"left": 0.0, "upper": 0.0, "middle": 0.5, "right": 1.0, "lower": 1.0}
#: Brightness as the eye weighs it, from red, green and blue (ITU-R BT.601), the same that Pillow's mode "L" uses.
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
#: The first bytes of files that are no pictures for Pillow, and what their owner can do about it.
_KNOWN = (
    *(
        (4, b"ftyp" + brand, "in HEIC, the format of phones, which Pillow cannot read: export it as JPEG and try again")
        for brand in (b"hei", b"hev", b"mif1", b"msf1")
    ),
    (4, b"ftyp", "a film, or in a format that Pillow cannot read: export one picture as JPEG and try again"),
    (0, b"%PDF", "a PDF: export the page as PNG or JPEG and try again"),
    (0, b"<svg", "a drawing in SVG, which has no pixels: export it as PNG and try again"),
    (0, b"PK\x03\x04", "a ZIP archive or an office document: take the picture out of it and try again"),
)


class PhotographError(ValueError):
    """What is wrong with a picture, in one sentence. A notebook shows the sentence alone, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def photo(name: str) -> np.ndarray:
    """Return a photograph, float32 (H, W, 3) in [0, 1], red, green, blue; the array is yours to write into.

    ``PHOTOS`` names them: "china" (a temple) and "flower" ship with scikit-learn, "hopper" (Grace Hopper) with
    matplotlib, the others with scikit-image. "camera" (a man with a tripod), "coins", "horse" (a silhouette) and the
    textures "brick", "grass" and "gravel" are gray: their three channels are equal.

    Raises:
        ValueError: for another name.
        FileNotFoundError: when the library came without its picture.
    """
    if name not in PHOTOS:
        raise ValueError(f"There is no photograph {name!r}: choose one of {', '.join(PHOTOS)}.")
    package, file = _PHOTO_FILES[name]
    spec = importlib.util.find_spec(package)  # finds the folder without importing a heavy library
    folders = (spec and spec.submodule_search_locations) or [package]
    path = Path(folders[0], file)
    if not path.is_file():
        raise FileNotFoundError(f"The photograph {name!r} belongs to {package}: run `make lab` to install it again.")
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=np.float32) / np.float32(255)


def square(picture: np.ndarray, part: str = "middle", side: int = 227) -> np.ndarray:
    """Cut the largest square out of a photograph and resize it by averaging.

    Args:
        picture: floats (H, W, 3), as :func:`photo` and :func:`own` return them.
        part: where along the longer side: "left", "middle" or "right" of a wide one, "upper", "middle" or "lower" of a
            tall one.
        side: pixels of a side of the result; 227 is what the network for photographs was trained on.

    Returns:
        float32 (side, side, 3), an array of its own.

    Raises:
        PhotographError: a ValueError, for an array of another shape, or a part that this photograph does not have.
    """
    _check_side(side)
    picture = np.asarray(picture)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype.kind != "f" or not picture.size:
        raise PhotographError(f"A photograph here is floats (H, W, 3); this is {picture.dtype} {picture.shape}.")
    height, width = picture.shape[:2]
    fits = [
        name for name in PARTS if name == "middle" or width == height or (name in ("left", "right")) == (width > height)
    ]
    if part not in fits:
        raise PhotographError(
            f"This photograph of {width}×{height} pixels has the squares {', '.join(fits)}; got {part!r}."
        )
    planes = [Image.fromarray(np.ascontiguousarray(plane, np.float32)) for plane in np.moveaxis(picture, 2, 0)]
    return np.stack([np.asarray(_square(plane, side, PARTS[part])) for plane in planes], axis=-1)


def own(source: Any, side: int | None = 256, gray: bool = False) -> np.ndarray:
    """Return your own photograph as floats in [0, 1], cut to its middle square and resized.

    A file may have any format that Pillow reads, with any number of pixels. It is turned upright (EXIF), what is
    transparent is laid on white, gray and CMYK become red, green and blue, 16 bits keep their precision, and of an
    animation you get the first frame. An array may be gray (H, W) or color, channels last or first, from 0 to 1, 0 to
    255 or 0 to 65,535: the smallest of these ranges that holds all its values counts.

    Args:
        source: the name of a file, its bytes, a Pillow image, or an array or tensor.
        side: pixels of a side of the square; None keeps the whole picture at its own size.
        gray: True for one number per pixel, the brightness as the eye weighs it.

    Returns:
        float32 (side, side, 3), or (side, side) if gray.

    Raises:
        PhotographError: a ValueError that says in one sentence why this is no photograph.
    """
    if side is not None:
        _check_side(side)
    if isinstance(source, str | os.PathLike | bytes | bytearray | memoryview | Image.Image):
        planes = _decode(source, side)
    else:
        planes = [Image.fromarray(plane) for plane in _from_array(source)]
    pixels = [np.asarray(_square(plane, side), dtype=np.float32) for plane in planes]
    # Pixels of 8 bits come as one Pillow image, deeper ones and arrays as one image of floats for each channel.
    color = pixels[0] / np.float32(255) if len(pixels) == 1 and pixels[0].ndim == 3 else np.stack(pixels, axis=-1)
    if gray:
        return color[..., 0].copy() if color.shape[2] == 1 else (color @ LUMA).clip(0, 1)
    return color.repeat(3, axis=2) if color.shape[2] == 1 else color


def _check_side(side: Any) -> None:
    if isinstance(side, bool) or not isinstance(side, int | np.integer) or side < 1:
        raise PhotographError(f"The side is a whole number of pixels, such as 256, not {side!r}.")


def _square(image: Image.Image, side: int | None, at: float = 0.5) -> Image.Image:
    """The square at a share of what is left, resized by averaging, which adds no value not between its neighbors'."""
    if side is None:
        return image
    edge = min(image.size)
    left, top = (int((n - edge) * at) for n in image.size)
    return image.crop((left, top, left + edge, top + edge)).resize((side, side), Image.Resampling.BILINEAR)


def _decode(source: Any, side: int | None) -> list[Image.Image]:
    """A file, its bytes or an opened image as one RGB image of bytes, or as one of floats if it is deeper."""
    if isinstance(source, Image.Image):
        return _planes(source, "This image")
    if isinstance(source, str | os.PathLike):
        name, content = _read(os.fspath(source))
    else:
        name, content = "This file", bytes(source)
    if not content:
        raise PhotographError(f"{name} is empty: it holds no bytes. Copy or download it again.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large, and your own
            image = Image.open(io.BytesIO(content))
        if side is not None:
            image.draft(None, (2 * side, 2 * side))  # a JPEG of 8,000 pixels is decoded at an eighth
        image.load()
    except UnidentifiedImageError:
        raise PhotographError(f"{name} {_why(content)}.") from None
    except Image.DecompressionBombError:
        raise PhotographError(f"{name} has more than 178 million pixels: save it smaller and try again.") from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error) as error:
        raise PhotographError(f"{name} is damaged or breaks off: copy or download it again ({error}).") from None
    return _planes(image, name)


def _read(path: str) -> tuple[str, bytes]:
    """The name of a file as a sentence begins with it, and its content."""
    if path.startswith(("http://", "https://")):
        raise PhotographError("This is an address: download the picture first, and give the name of the file.")
    file = Path(path).expanduser()
    name = f'"{file.name or path}"'
    try:
        return name, file.read_bytes()
    except (IsADirectoryError, PermissionError) as error:
        what = "is a folder: name one picture in it" if file.is_dir() else f"cannot be opened: {error.strerror}"
        raise PhotographError(f"{name} {what}.") from None
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        pass
    there = [other.name for other in file.parent.iterdir()] if file.parent.is_dir() else []
    similar = difflib.get_close_matches(file.name, there, 1)
    hint = f'Did you mean "{similar[0]}"?' if similar else "Put it beside the notebook, or give its whole path."
    raise PhotographError(f"There is no file {name} here. {hint}")


def _why(content: bytes) -> str:
    """Why Pillow cannot read it, for somebody who has never heard of Pillow."""
    start = content[:512].lstrip()
    for at, mark, reason in _KNOWN:
        if start[at : at + len(mark)] == mark or (mark == b"<svg" and mark in start):
            return f"is {reason}"
    return "is not a picture, or in a format that Pillow cannot read: JPEG, PNG, GIF, TIFF, WebP and BMP all work"


def _planes(image: Image.Image, name: str) -> list[Image.Image]:
    """Upright and opaque, as one RGB image of bytes, or as one image of floats in [0, 1] if it has more than 8 bits."""
    with contextlib.suppress(Exception):  # a broken note about how the camera was held: the picture stays as it lies
        image = ImageOps.exif_transpose(image)
    try:
        if image.mode == "F" or image.mode.startswith("I"):
            return [Image.fromarray(plane) for plane in _from_array(np.asarray(image), image.mode.startswith("I;16"))]
        if image.has_transparency_data:
            drawn = image.convert("RGBA")
            return [Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn).convert("RGB")]
        return [image.convert("RGB")]
    except PhotographError:
        raise
    except (OSError, ValueError) as error:
        raise PhotographError(f"{name} cannot be turned into red, green and blue: save it as PNG ({error}).") from None


def _from_array(source: Any, deep: bool = False) -> list[np.ndarray]:
    """An array or tensor as one or three arrays float32 (H, W) in [0, 1]; ``deep`` says that it has 16 bits."""
    if hasattr(source, "detach"):
        source = source.detach().cpu()  # a tensor
    try:
        array = np.asarray(source)
    except ValueError:
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "buif":
        raise PhotographError(
            "A photograph is the name of a file, its bytes, or an array of numbers; "
            f"this is {'an array of something else' if isinstance(source, np.ndarray) else type(source).__name__}."
        )
    while array.ndim > 3 and len(array) == 1:
        array = array[0]  # a batch of one
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or not array.size:
        shape = np.shape(source)
        raise PhotographError(f"An image has the shape (H, W), (H, W, 3) or (3, H, W), and pixels; this is {shape}.")
    array = array.astype(np.float32) / np.float32(_top(array, deep))
    if array.shape[2] == 4:
        color, opaque = array[..., :3], array[..., 3:]
        array = color * opaque + (1 - opaque)
    return list(np.ascontiguousarray(array.clip(0, 1).transpose(2, 0, 1)))


def _top(array: np.ndarray, deep: bool) -> int:
    """The value of white: 1, 255 or 65,535. Floats may leave the range a little, as resizing makes them do."""
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise PhotographError("The array holds NaN or infinite values, which are no brightness.")
    slack = 0.1 if array.dtype.kind == "f" else 0.0
    for top in (65_535,) if deep else (1, 255, 65_535):
        if -slack * high <= low and high <= (1 + slack) * top:
            if slack and top > 1 and high < 2:
                break  # as 0..255 it would be black, which nobody means
            return top
    raise PhotographError(f"The values run from {low:.3g} to {high:.3g}: bring them to 0..1 or 0..255 first.")
