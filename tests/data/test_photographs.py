"""A photograph of one's own: whatever Pillow reads or an array holds comes as the same floats, or one sentence says why
not."""

import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from helpers import data
from helpers.data.photographs import LUMA

RNG = np.random.default_rng(0)
#: A picture whose four quarters differ, so that turning and mirroring show: red, green, blue and white.
QUARTERS = np.zeros((80, 80, 3), dtype=np.uint8)
QUARTERS[:40, :40, 0] = QUARTERS[:40, 40:, 1] = QUARTERS[40:, :40, 2] = QUARTERS[40:, 40:] = 255
MEANT = QUARTERS / np.float32(255)


def stored(image, form="PNG", **more):
    """The bytes of a file."""
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, form, **more)
    return buffer.getvalue()


def rotated(orientation, form="JPEG"):
    """The quarters as a camera stores them that was held in one of eight ways, with the EXIF note that says which."""
    undo = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    image = Image.fromarray(QUARTERS)
    for turn in undo.get(orientation, []):
        image = image.transpose(turn)
    note = Image.Exif()
    note[0x0112] = orientation
    return stored(image, form, exif=note, **({"quality": 95, "subsampling": 0} if form == "JPEG" else {}))


def with_alpha(mode):
    """The quarters, of which the last is transparent (and black below)."""
    image = Image.fromarray(QUARTERS).convert("RGBA")
    pixels = np.array(image)
    pixels[40:, 40:] = 0
    image = Image.fromarray(pixels)
    if mode == "P":
        flat = Image.fromarray(pixels[..., :3]).quantize(4)
        return stored(flat, transparency=flat.getpixel((79, 79)))
    return stored(image)


def palette():
    return stored(Image.fromarray(QUARTERS).quantize(4))


def animation():
    other = Image.fromarray(255 - QUARTERS)
    return stored(Image.fromarray(QUARTERS), "GIF", save_all=True, append_images=[other], duration=100)


FILES = {
    "PNG": lambda: stored(QUARTERS),
    "BMP": lambda: stored(QUARTERS, "BMP"),
    "TIFF": lambda: stored(QUARTERS, "TIFF"),
    "WebP": lambda: stored(QUARTERS, "WEBP", lossless=True),
    "PPM": lambda: stored(QUARTERS, "PPM"),
    "JPEG": lambda: stored(QUARTERS, "JPEG", quality=95, subsampling=0),
    "progressive JPEG": lambda: stored(QUARTERS, "JPEG", quality=95, subsampling=0, progressive=True),
    "CMYK JPEG": lambda: stored(Image.fromarray(QUARTERS).convert("CMYK"), "JPEG", quality=95),
    "CMYK TIFF": lambda: stored(Image.fromarray(QUARTERS).convert("CMYK"), "TIFF"),
    "palette PNG": palette,
    "GIF": lambda: stored(QUARTERS, "GIF"),
    "first frame of an animation": animation,
    "transparent PNG": lambda: with_alpha("RGBA"),
    "transparent palette": lambda: with_alpha("P"),
    **{f"EXIF orientation {n}": lambda n=n: rotated(n) for n in range(1, 9)},
    "EXIF in a PNG": lambda: rotated(6, "PNG"),
}


@pytest.mark.parametrize("make", FILES.values(), ids=list(FILES))
@pytest.mark.parametrize("way", [bytes, bytearray, memoryview, "file", "path", Image.open])
def test_any_file_gives_the_picture_that_was_meant(make, way, tmp_path):
    content = make()
    if way == "file":
        source = str(tmp_path / "me.any")
    elif way == "path":
        source = tmp_path / "me.any"
    else:
        source = way(io.BytesIO(content) if way is Image.open else content)
    if way in ("file", "path"):
        (tmp_path / "me.any").write_bytes(content)
    picture = data.own(source, side=80)
    assert (picture.shape, picture.dtype) == ((80, 80, 3), np.float32)
    assert 0 <= picture.min() <= picture.max() <= 1
    inner = np.r_[4:36, 44:76]  # JPEG smears a color over the edge of a block
    np.testing.assert_allclose(picture[np.ix_(inner, inner)], MEANT[np.ix_(inner, inner)], atol=0.06)
    picture[:] = 0.5  # it is one's own


@pytest.mark.parametrize(
    ("mode", "tolerance"), [("L", 1e-6), ("I;16", 1e-6), ("I", 1e-6), ("F", 1e-6), ("1", 1e-6), ("LA", 1e-6)]
)
def test_a_gray_file_of_any_depth_has_three_equal_channels(mode, tolerance):
    ramp = np.linspace(0, 255, 64).round().astype(np.uint8).repeat(64).reshape(64, 64)
    ramp[0, 0], ramp[-1, -1] = 0, 255
    wanted = ramp / np.float32(255)
    if mode == "I;16":
        content = stored(ramp.astype(np.uint16) * 257)
    elif mode in ("I", "F"):
        content = stored(Image.fromarray(ramp).convert(mode), "TIFF")
    elif mode == "1":
        content, wanted = stored(Image.fromarray(ramp > 127)), (ramp > 127).astype(np.float32)
    else:
        content = stored(Image.fromarray(ramp).convert(mode))
    picture = data.own(content, side=64)
    np.testing.assert_allclose(picture, wanted[..., None].repeat(3, axis=2), atol=tolerance)
    np.testing.assert_allclose(data.own(content, side=64, gray=True), wanted, atol=tolerance)


def test_sixteen_bits_keep_their_precision_and_a_dark_one_stays_dark():
    deep = np.arange(1_024, dtype=np.uint16).reshape(32, 32) * 3 + 20_000
    np.testing.assert_allclose(data.own(stored(deep), side=32, gray=True), deep / 65_535, atol=1e-6)
    dark = np.full((8, 8), 200, dtype=np.uint16)
    assert data.own(stored(dark), side=8).max() < 0.01
    assert data.own(stored(np.full((8, 8), 1, dtype=np.uint8)), side=8).max() < 0.01


@pytest.mark.parametrize(
    ("height", "width", "side"),
    [(200, 8_000, 227), (8_000, 200, 64), (3, 500, 64), (500, 3, 1), (1, 1, 64), (7, 7, 1), (301, 200, 227)],
)
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_the_middle_square_of_any_size(height, width, side, form):
    """Three strips along the longer side: only the middle one, gray, lies in the square."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    edge, axis = min(height, width), int(width > height)
    start = (max(height, width) - edge) // 2
    middle = [slice(None)] * 2
    middle[axis] = slice(start, start + edge)
    image[tuple(middle)] = 128
    picture = data.own(stored(image, form), side=side)
    assert picture.shape == (side, side, 3)
    np.testing.assert_allclose(picture.mean(), 128 / 255, atol=0.03 if form == "JPEG" else 0.003)
    if form == "PNG":
        np.testing.assert_allclose(picture, 128 / 255, atol=1e-6)


def test_a_picture_of_the_right_size_keeps_its_pixels_and_resizing_averages():
    noise = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(data.own(stored(noise), side=64), noise / np.float32(255))
    np.testing.assert_array_equal(data.own(noise, side=64), noise / np.float32(255))
    small = data.own(noise, side=8)
    assert np.abs(small - 0.5).max() < 0.2  # each is the mean of many
    big = data.own(noise, side=256)
    assert noise.min() / 255 <= big.min()
    assert big.max() <= noise.max() / 255
    np.testing.assert_allclose(data.own(stored(noise), side=20), data.own(noise, side=20), atol=1 / 255)


def test_without_a_side_the_whole_picture_keeps_its_size():
    noise = RNG.integers(0, 256, (30, 50, 3), dtype=np.uint8)
    for source in (noise, stored(noise), torch.from_numpy(noise)):
        np.testing.assert_array_equal(data.own(source, side=None), noise / np.float32(255))


FLOATS = RNG.random((12, 12, 3), dtype=np.float32)
FLOATS[0, 0], FLOATS[-1, -1] = 0, 1
BYTES = (FLOATS * 255).round().astype(np.uint8)
ARRAYS = {
    "floats to 1": (FLOATS, FLOATS),
    "doubles to 1": (FLOATS.astype(float), FLOATS),
    "half precision": (FLOATS.astype(np.float16), FLOATS),
    "floats to 255": (FLOATS * 255, FLOATS),
    "bytes": (BYTES, BYTES / 255),
    "whole numbers": (BYTES.astype(np.int64), BYTES / 255),
    "16 bits": ((FLOATS * 65_535).round().astype(np.uint16), FLOATS),
    "channels first": (FLOATS.transpose(2, 0, 1), FLOATS),
    "a batch of one": (FLOATS.transpose(2, 0, 1)[None], FLOATS),
    "a tensor": (torch.from_numpy(FLOATS).permute(2, 0, 1), FLOATS),
    "a tensor with a gradient": (torch.from_numpy(FLOATS).requires_grad_(), FLOATS),
    "a list": (FLOATS.tolist(), FLOATS),
    "backwards": (FLOATS[::-1, ::-1], FLOATS[::-1, ::-1]),
    "resized, so a little out of range": (FLOATS * 1.04 - 0.02, (FLOATS * 1.04 - 0.02).clip(0, 1)),
    "gray": (FLOATS[..., 0], FLOATS[..., :1].repeat(3, axis=2)),
    "gray, channel last": (FLOATS[..., :1], FLOATS[..., :1].repeat(3, axis=2)),
    "gray, channel first": (FLOATS[None, ..., 0], FLOATS[..., :1].repeat(3, axis=2)),
    "yes and no": (FLOATS[..., 0] > 0.5, (FLOATS[..., :1] > 0.5).repeat(3, axis=2)),
    "black": (np.zeros((12, 12)), np.zeros((12, 12, 3))),
    "transparent": (np.dstack([FLOATS, np.zeros((12, 12))]), np.ones((12, 12, 3))),
    "half transparent": (np.dstack([FLOATS, np.full((12, 12), 0.5)]), FLOATS / 2 + 0.5),
}


@pytest.mark.parametrize(("given", "wanted"), ARRAYS.values(), ids=list(ARRAYS))
def test_any_array_gives_floats_from_0_to_1(given, wanted):
    picture = data.own(given, side=12)
    assert (picture.shape, picture.dtype) == ((12, 12, 3), np.float32)
    assert 0 <= picture.min() <= picture.max() <= 1
    np.testing.assert_allclose(picture, wanted, atol=1e-3)
    np.testing.assert_allclose(data.own(given, side=12, gray=True), wanted @ LUMA, atol=1e-3)


def test_the_array_that_was_given_is_left_alone():
    given = FLOATS.copy()
    data.own(given, side=12)[:] = 0.5
    data.own(given, side=None)[:] = 0.5
    data.own(given[..., 0], side=None, gray=True)[:] = 0.5
    np.testing.assert_array_equal(given, FLOATS)


def test_gray_is_the_brightness_that_pillow_measures():
    for name in data.PHOTOS:
        image = Image.fromarray((data.photo(name) * 255).round().astype(np.uint8))
        brightness = np.asarray(image.convert("L"), dtype=np.float32) / 255
        np.testing.assert_allclose(data.own(image, side=None, gray=True), brightness, atol=0.51 / 255)


def cut_off(form):
    content = stored(RNG.integers(0, 256, (200, 200, 3), dtype=np.uint8), form)
    return content[: len(content) // 2]


REFUSED = {
    "HEIC": (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100), "HEIC"),
    "HEIC of a burst": (b"\x00\x00\x00\x18ftypmif1" + bytes(100), "HEIC"),
    "a film": (b"\x00\x00\x00\x18ftypmp42" + bytes(100), "film"),
    "PDF": (b"%PDF-1.7\n" + bytes(100), "PDF"),
    "SVG": (b"<?xml version='1.0'?>\n<svg xmlns='x'></svg>", "SVG"),
    "ZIP": (b"PK\x03\x04" + bytes(100), "ZIP"),
    "text": (b"Dear diary, today I took a photograph.", "not a picture"),
    "noise": (bytes(RNG.integers(0, 256, 5_000, dtype=np.uint8)), "not a picture"),
    "empty file": (b"", "empty"),
    "half a PNG": (cut_off("PNG"), "damaged"),
    "half a JPEG": (cut_off("JPEG"), "damaged"),
    "half a GIF": (cut_off("GIF"), "damaged"),
    "half a TIFF": (cut_off("TIFF"), "damaged"),
    "half a WebP": (cut_off("WEBP"), ""),
}


def one_sentence(error):
    """The words of an error: one line, a sentence, and no Python in it."""
    words = str(error.value)
    assert "\n" not in words
    assert words[0] in '"' + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert words[-1] in ".?"
    assert "object at" not in words
    assert error.value._render_traceback_() == [words]  # what a notebook shows
    return words


@pytest.mark.parametrize(("content", "words"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_picture_is_refused_in_a_sentence(content, words, tmp_path):
    file = tmp_path / "me.jpg"
    file.write_bytes(content)
    for source in (content, file, str(file)):
        with pytest.raises(data.PhotographError) as error:
            data.own(source)
        assert words in one_sentence(error)
    assert one_sentence(error).startswith('"me.jpg"')
    assert str(tmp_path) not in str(error.value)  # a name, not a path across the screen


def test_colors_that_pillow_cannot_turn_into_red_green_and_blue(monkeypatch):
    monkeypatch.setattr(Image.Image, "convert", lambda self, mode: int("LAB"))
    with pytest.raises(data.PhotographError) as error:
        data.own(stored(QUARTERS))
    assert "save it as PNG" in one_sentence(error)


def test_a_file_that_is_not_there_and_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "me.jpeg").write_bytes(stored(QUARTERS, "JPEG"))
    (tmp_path / "photos").mkdir()
    for source, words in {
        "me.jpg": 'Did you mean "me.jpeg"?',
        "cat.png": "Put it beside the notebook",
        "nowhere/cat.png": "There is no file",
        "photos": "is a folder",
        ".": "is a folder",
        "": "",
        "~/surely-not-here.png": "There is no file",
        "https://example.org/cat.png": "download the picture first",
        "a\0b": "There is no file",
        "x" * 5_000: "There is no file",
    }.items():
        with pytest.raises(data.PhotographError) as error:
            data.own(source)
        assert words in one_sentence(error)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.full((4, 4), np.nan), "NaN"),
        (np.full((4, 4), np.inf), "infinite"),
        (RNG.normal(size=(20, 20)), "run from -"),
        (np.full((4, 4), 1.5), "1.5"),
        (np.full((4, 4), 1e6), "1e+06"),
        (np.array([[-3, 5]]), "-3"),
        (np.zeros((0, 4)), "(0, 4)"),
        (np.zeros(9), "(9,)"),
        (np.zeros((5, 5, 5)), "(5, 5, 5)"),
        (np.zeros((2, 3, 8, 8)), "(2, 3, 8, 8)"),
        (np.array([["a", "b"]]), "something else"),
        (np.zeros((4, 4), dtype=complex), "something else"),
        ([[1, 2], [3]], "list"),
        (None, "NoneType"),
        (7, "()"),
        ({"name": "me.jpg"}, "dict"),
    ],
)
def test_an_array_that_is_no_image_is_refused_in_a_sentence(given, words):
    with pytest.raises(data.PhotographError) as error:
        data.own(given)
    assert words in one_sentence(error)


@pytest.mark.parametrize("side", [0, -3, 2.5, "256", True, (3, 3)])
def test_a_side_that_is_no_number_of_pixels(side):
    with pytest.raises(ValueError, match="whole number of pixels"):
        data.own(QUARTERS, side=side)


def test_a_large_jpeg_is_decoded_small():
    """8,000×6,000 pixels would fill 550 MB as floats; the peak of the whole process stays below 250."""
    script = (
        "import io, resource, numpy as np; from PIL import Image; from helpers import data;"
        "b = io.BytesIO(); Image.new('RGB', (8000, 6000), (200, 100, 50)).save(b, 'JPEG');"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "p = data.own(b.getvalue()); assert p.shape == (256, 256, 3);"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 50


# Photographs that ship with libraries


SIZES = {
    "china": (427, 640),
    "flower": (427, 640),
    "hopper": (600, 512),
    "cat": (300, 451),
    "coffee": (400, 600),
    "astronaut": (512, 512),
    "rocket": (427, 640),
    "motorcycle": (500, 741),
    "camera": (512, 512),
    "coins": (303, 384),
    "horse": (328, 400),
    "hubble": (872, 1000),
    "brick": (512, 512),
    "grass": (512, 512),
    "gravel": (512, 512),
}
GRAY = {"camera", "coins", "horse", "brick", "grass", "gravel"}


@pytest.mark.parametrize("name", data.PHOTOS)
def test_photographs_are_color_floats_of_ones_own(name):
    assert set(SIZES) == set(data.PHOTOS)
    picture = data.photo(name)
    assert picture.shape == (*SIZES[name], 3)
    assert picture.dtype == np.float32
    assert 0 <= picture.min() < 0.3
    assert 0.7 < picture.max() <= 1
    assert np.array_equal(picture[..., 0], picture[..., 2]) == (name in GRAY)
    before = picture[0, 0].copy()
    picture[0, 0] = before + 1
    np.testing.assert_array_equal(data.photo(name)[0, 0], before)


def test_photo_agrees_with_the_libraries_that_ship_them():
    import skimage.data
    from sklearn.datasets import load_sample_image

    np.testing.assert_array_equal(data.photo("china"), load_sample_image("china.jpg").astype(np.float32) / 255)
    for name, theirs in {"cat": skimage.data.chelsea(), "hubble": skimage.data.hubble_deep_field()}.items():
        np.testing.assert_array_equal(data.photo(name), theirs.astype(np.float32) / 255)
    np.testing.assert_array_equal(data.photo("coins")[..., 1], skimage.data.coins().astype(np.float32) / 255)
    np.testing.assert_array_equal(data.photo("horse")[..., 1] > 0.5, skimage.data.horse())


def test_an_unknown_photograph_names_the_known_ones():
    with pytest.raises(ValueError, match="china, flower, hopper, cat, coffee"):
        data.photo("dog")


def test_a_library_without_its_picture_says_what_to_do(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(FileNotFoundError, match="'cat' belongs to skimage: run `make lab`"):
        data.photo("cat")


def test_a_square_keeps_its_end_of_the_longer_side():
    wide = np.zeros((4, 10, 3), dtype=np.float32)
    wide[..., 0] = np.arange(10) / 10
    tall = wide.transpose(1, 0, 2)
    for picture, parts in ((wide, ("left", "middle", "right")), (tall, ("upper", "middle", "lower"))):
        for part, start in zip(parts, (0, 3, 6), strict=True):
            cut = data.square(picture, part, side=4)
            columns = cut[..., 0] if picture is wide else cut[..., 0].T
            np.testing.assert_allclose(columns, np.tile(np.arange(start, start + 4) / 10, (4, 1)), atol=1e-6)
            assert cut.dtype == np.float32
            cut[:] = 1  # it is one's own
    assert wide[..., 1:].max() == 0


def test_a_square_is_resized_as_ones_own_photograph_is():
    for name in ("cat", "hopper"):
        picture = data.photo(name)
        np.testing.assert_allclose(data.square(picture, "middle", 100), data.own(picture, 100), atol=1e-6)
    even = data.photo("astronaut")
    for part in ("left", "upper", "right", "lower"):
        np.testing.assert_array_equal(data.square(even, part), data.square(even))
    assert data.square(even).shape == (227, 227, 3)


@pytest.mark.parametrize(
    ("picture", "part", "words"),
    [
        (np.zeros((4, 8, 3), np.float32), "upper", "8×4 pixels has the squares left, middle, right; got 'upper'"),
        (np.zeros((8, 4, 3), np.float32), "left", "has the squares upper, middle, lower"),
        (np.zeros((8, 4, 3), np.float32), "center", "has the squares upper, middle, lower"),
        (np.zeros((3, 8, 8), np.float32), "middle", "floats (H, W, 3)"),
        (np.zeros((8, 8), np.float32), "middle", "floats (H, W, 3)"),
        (np.zeros((0, 8, 3), np.float32), "middle", "floats (H, W, 3)"),
        (np.zeros((8, 8, 3), np.uint8), "middle", "this is uint8"),
    ],
)
def test_what_has_no_such_square_is_refused_in_a_sentence(picture, part, words):
    with pytest.raises(data.PhotographError) as error:
        data.square(picture, part)
    assert words in one_sentence(error)


@pytest.mark.parametrize("side", [0, 2.5, True, None])
def test_a_square_of_no_size(side):
    with pytest.raises(ValueError, match="whole number of pixels"):
        data.square(MEANT, side=side)
