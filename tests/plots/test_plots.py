"""Pictures: what they accept, on which scale they draw, what they say to those who cannot see them."""

import base64
import io
import re

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

from helpers import data, display, plots
from helpers.network.history import Epoch, History
from helpers.plots.live import _smooth
from helpers.plots.pictures import tile
from helpers.plots.style import SHARPNESS, Picture, as_picture, colormap, limit, png, png_of_pixels, scale, wrap


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture.png())).convert("RGB")).astype(int)


def artists(picture):
    """The image artists of the panels; a color bar is drawn without one."""
    return [image for axes in picture.figure.axes for image in axes.images]


def bars_of(picture):
    """The axes of color bars."""
    return [axes for axes in picture.figure.axes if hasattr(axes, "_colorbar")]


RNG = np.random.default_rng(0)
GRAY = RNG.random((7, 9))
COLOR = RNG.random((7, 9, 3))


# -- shapes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        GRAY,
        GRAY[None],
        GRAY[None, None],
        GRAY[..., None],
        GRAY[::2, ::-1],
        GRAY.T.copy().T,
        GRAY.astype(np.float16),
        (GRAY * 255).astype(np.uint8),
        GRAY > 0.5,
        GRAY.tolist(),
        torch.tensor(GRAY),
        torch.tensor(GRAY, dtype=torch.bfloat16),
        torch.tensor(GRAY, requires_grad=True),
        torch.tensor(GRAY)[None, None],
    ],
    ids=lambda d: f"{type(d).__name__} {getattr(d, 'dtype', '')} {tuple(getattr(d, 'shape', ()))}",
)
def test_gray_images_in_any_form_are_shown_gray(data):
    shown = pixels(plots.images([data]))
    assert np.ptp(shown[40:-40, 40:-40], axis=2).max() <= 2
    assert np.ptp(shown[40:-40, 40:-40]) > 100


@pytest.mark.parametrize(
    "data",
    [
        COLOR,
        COLOR[None],
        np.moveaxis(COLOR, 2, 0),
        torch.tensor(COLOR).permute(2, 0, 1),
        (COLOR * 255).astype(np.uint8),
    ],
    ids=lambda d: f"{type(d).__name__} {d.dtype} {tuple(d.shape)}",
)
def test_color_images_in_any_form_are_shown_in_color(data):
    drawn = np.asarray(artists(plots.images([data]))[0].get_array(), dtype=float)
    drawn = drawn / 255 if drawn.max() > 1 else drawn
    np.testing.assert_allclose(drawn, COLOR, atol=1 / 255)


@pytest.mark.parametrize("shape", [(784,), (2, 28, 28), (5, 7, 9, 3), (), (1, 1, 5)])
def test_what_is_not_one_image_is_refused_in_a_sentence(shape):
    if shape == (1, 1, 5):
        assert as_picture(np.zeros(shape)).shape == (1, 5)
        return
    with pytest.raises(ValueError, match=r"One picture is \(H, W\)") as caught:
        plots.images([np.zeros(shape)])
    assert "\n" not in str(caught.value)


def test_a_three_row_image_is_not_mistaken_for_colors():
    assert as_picture(np.zeros((3, 9))).shape == (3, 9)
    assert as_picture(np.zeros((3, 5, 3))).shape == (3, 5, 3), "(H, W, 3) wins over (3, H, W)"


def test_an_image_is_black_at_zero_and_white_at_one_whatever_it_holds():
    for value, right in ((0.0, 0), (1.0, 255), (0.5, 127)):
        shown = pixels(plots.images([np.full((4, 4), value)]))
        middle = shown[shown.shape[0] // 2, shown.shape[1] // 2]
        assert np.abs(middle - right).max() <= 2, "a blank patch must not be stretched"


def test_images_take_a_generator_and_mixed_sizes():
    picture = plots.images((np.eye(n) for n in (3, 5, 8)), ["a", "b", "c"])
    assert [a.get_array().shape for a in artists(picture)] == [(3, 3), (5, 5), (8, 8)]


# -- scales ----------------------------------------------------------------------------------------------------------


def test_none_leaves_a_place_empty():
    picture = plots.images([np.eye(3), None, np.eye(3), -4 * np.eye(3)], columns=2, kind="response", unit="response")
    panels = [axes for axes in picture.figure.axes if axes not in bars_of(picture)]
    assert [bool(axes.images) for axes in panels] == [True, False, True, True]
    assert [axes.axison for axes in panels] == [True, False, True, True]
    assert {image.get_clim() for image in artists(picture)[:3]} == {(-4, 4)}
    with pytest.raises(ValueError, match="no picture"):
        plots.images([None])


def test_pictures_of_a_kind_share_one_scale_around_zero():
    picture = plots.images([np.eye(3), -4 * np.eye(3)], kind="response", unit="response")
    assert [a.get_clim() for a in artists(picture)] == [(-4, 4), (-4, 4)]
    assert len(bars_of(picture)) == 1
    assert bars_of(picture)[0].get_ylabel() == "response"


def test_each_kind_has_its_own_scale_and_bar():
    picture = plots.images(
        [np.eye(3), 2 * np.eye(3), 3 * np.eye(3)],
        kind=["image", "weights", "activation"],
        unit={"weights": "weight", "activation": "activation"},
    )
    assert [a.get_clim() for a in artists(picture)] == [(0, 1), (-2, 2), (0, 3)]
    assert [axes.get_ylabel() for axes in bars_of(picture)] == ["weight", "activation"]


def test_not_shared_means_a_scale_for_each_and_no_bar():
    picture = plots.images([np.eye(3), 5 * np.eye(3)], kind="weights", shared=False)
    assert [a.get_clim() for a in artists(picture)] == [(-1, 1), (-5, 5)]
    assert not bars_of(picture)


def test_zero_is_white_on_a_signed_map_and_black_on_activations():
    signed = pixels(plots.images([np.diag([1.0, 0, 0, 0, -1])], kind="response", side=3))
    height, width = signed.shape[:2]
    assert signed[height // 2, width // 3].min() > 240
    low = matplotlib.colormaps[scale("activation")["cmap"]](0.0)
    assert max(low[:3]) < 0.02


def test_a_percentile_hides_a_single_extreme_pixel_and_the_bar_says_so():
    array = np.ones((20, 20))
    array[0, 0] = 1000
    picture = plots.images([array], kind="response", percentile=99)
    assert artists(picture)[0].get_clim() == (-1, 1)
    assert bars_of(picture)[0]._colorbar.extend == "both"
    assert bars_of(plots.images([array], kind="activation", percentile=99))[0]._colorbar.extend == "max"
    assert bars_of(plots.images([array], kind="activation"))[0]._colorbar.extend == "neither"


@pytest.mark.parametrize("kind", ["weights", "response", "activation"])
def test_a_map_of_zeros_is_drawn_blank_with_a_note(kind):
    picture = plots.images([np.zeros((4, 4))], kind=kind)
    assert [t.get_text() for axes in picture.figure.axes for t in axes.texts] == ["zero everywhere"]
    assert picture.png()


def test_limit():
    assert limit([]) == 1
    assert limit([np.zeros(3)]) == 1
    assert limit([[-3, 2], [1]]) == 3
    assert limit([[0.0] * 999 + [5.0]], 99) == 5, "a percentile of zero falls back on the maximum"
    assert limit([[np.nan, 2.0, np.inf]]) == 2
    assert limit([torch.tensor([-2.0], requires_grad=True)]) == 2
    values = RNG.normal(size=1000)
    assert limit([values], 99) == pytest.approx(np.percentile(np.abs(values), 99))


def test_an_unknown_kind_is_refused_with_the_kinds_there_are():
    with pytest.raises(ValueError, match="one of image, weights, response, activation"):
        plots.images([np.eye(3)], kind="jet")


# -- the sentences ---------------------------------------------------------------------------------------------------


def test_nothing_to_show_is_refused():
    with pytest.raises(ValueError, match="no picture to show"):
        plots.images([])


def test_titles_and_rows_must_fit():
    with pytest.raises(ValueError, match="2 pictures, 1 titles"):
        plots.images([np.eye(3)] * 2, ["one"])
    with pytest.raises(ValueError, match="2 rows, 1 names"):
        plots.images([np.eye(3)] * 4, columns=2, rows=["one"])


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 4, 5), (9,)])
def test_a_mosaic_of_something_else_is_refused(shape):
    with pytest.raises(ValueError, match=r"\(N, H, W\)"):
        plots.mosaic(np.zeros(shape))


# -- layout ----------------------------------------------------------------------------------------------------------


def test_unused_places_of_a_grid_stay_empty():
    picture = plots.images([np.eye(3)] * 5, columns=3)
    panels = [axes for axes in picture.figure.axes if not axes.images]
    assert len(panels) == 1
    assert not panels[0].axison


def test_row_names_stand_at_the_first_picture_of_each_row():
    picture = plots.images([np.eye(3)] * 4, columns=2, rows=["by hand", "learned"])
    assert [axes.get_ylabel() for axes in picture.figure.axes] == ["by hand", "", "learned", ""]


def test_long_row_names_are_not_cut_off():
    picture = plots.images([np.eye(3)] * 2, columns=1, rows=["a rather long name", "b"])
    picture.figure.canvas.draw()
    label = picture.figure.axes[0].yaxis.label.get_window_extent()
    assert label.x0 >= 0


def test_titles_stay_inside_the_figure():
    picture = plots.images([np.eye(3)] * 3, ["two\nlines", "one", "three\nof\nthem"], title="above everything")
    picture.figure.canvas.draw()
    extents = [axes.title.get_window_extent() for axes in picture.figure.axes]
    extents.append(picture.figure._suptitle.get_window_extent())
    assert all(box.y0 >= 0 and box.y1 <= picture.figure.bbox.height + 1 for box in extents)
    top = picture.figure._suptitle.get_window_extent()
    assert all(not top.overlaps(box) for box in extents[:-1])


def test_only_rows_with_titles_get_room_for_titles():
    plain = plots.images([np.eye(3)] * 30, columns=10)
    first = plots.images([np.eye(3)] * 30, ["x"] * 10 + [""] * 20, columns=10)
    every = plots.images([np.eye(3)] * 30, ["x"] * 30, columns=10)
    heights = [p.figure.get_figheight() for p in (plain, first, every)]
    assert heights[0] < heights[1] < heights[2]


# -- contact sheets --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "columns"), [(1, 8), (7, 3), (32, 8), (64, 16)])
def test_a_tile_holds_every_map_at_its_place(count, columns):
    maps = RNG.random((count, 4, 5))
    sheet = tile(maps, columns)
    rows = -(-count // columns)
    assert sheet.shape == (rows * 5 - 1, columns * 6 - 1)
    for i in range(count):
        y, x = i // columns * 5, i % columns * 6
        np.testing.assert_allclose(sheet[y : y + 4, x : x + 5], maps[i], atol=1e-7)
    assert np.isnan(sheet).sum() == sheet.size - maps.size


def test_a_mosaic_numbers_its_maps_inside_them():
    picture = plots.mosaic(RNG.random((5, 3, 3)), columns=3, kind="weights")
    axes = picture.figure.axes[0]
    picture.figure.canvas.draw()
    size = 18  # 3×3 maps are drawn six times as large, and stand 19 apart
    for i, text in enumerate(axes.texts):
        box = axes.transData.inverted().transform(text.get_window_extent())
        x, y = i % 3 * (size + 1), i // 3 * (size + 1)
        assert text.get_text() == str(i)
        assert x - 1 <= box[:, 0].min() <= box[:, 0].max() <= x + size
        assert y - 1 <= box[:, 1].min() <= box[:, 1].max() <= y + size


def test_a_mosaic_has_one_scale_from_zero():
    maps = np.zeros((4, 6, 6))
    maps[1], maps[2] = 2.0, 5.0
    assert artists(plots.mosaic(maps))[0].get_clim() == (0, 5)
    assert artists(plots.mosaic(maps, top=3))[0].get_clim() == (0, 3)
    assert artists(plots.mosaic(-maps, kind="response"))[0].get_clim() == (-5, 5)


def test_a_mosaic_says_where_its_scale_is_cut():
    maps = RNG.random((4, 20, 20))
    maps[0, 0, 0] = 100
    cut = plots.mosaic(maps, percentile=99)
    assert artists(cut)[0].get_clim()[1] < 1.01
    assert bars_of(cut)[0]._colorbar.extend == "max"
    assert bars_of(plots.mosaic(maps))[0]._colorbar.extend == "neither"


def test_a_mosaic_that_is_not_shared_shows_weak_maps_and_says_so():
    maps = np.stack([np.eye(18), 0.001 * np.eye(18), np.zeros((18, 18))])
    picture = plots.mosaic(maps, shared=False, unit="activation")
    sheet = np.asarray(artists(picture)[0].get_array())
    assert np.nanmax(sheet[:, 19:37]) == 1
    assert np.nanmax(sheet[:, 38:56]) == 0
    assert "largest in its map" in bars_of(picture)[0].get_ylabel()


def test_a_mosaic_takes_a_batch_with_one_channel_and_tensors():
    a = plots.mosaic(torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(1)))
    b = plots.mosaic(torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(1)).numpy()[:, 0])
    assert a.png() == b.png()


def test_the_gap_of_a_mosaic_is_white_and_does_not_change_the_palette_of_others():
    before = matplotlib.colormaps["magma"].get_bad().tolist()
    shown = pixels(plots.mosaic(np.zeros((2, 8, 8)), columns=2, numbered=False))
    assert shown[shown.shape[0] // 3].max(axis=1).max() > 250
    assert matplotlib.colormaps["magma"].get_bad().tolist() == before


# -- numbers and overlays --------------------------------------------------------------------------------------------


def test_numbers_are_written_with_a_true_minus_and_no_negative_zero():
    picture = plots.numbers([[[-1, -0.0], [0.5, 2]]])
    assert [t.get_text() for t in picture.figure.axes[0].texts] == ["−1", "0", "0.5", "2"]


def test_numbers_can_be_read_on_their_color():
    picture = plots.numbers([np.linspace(-1, 1, 9).reshape(3, 3)], kind="weights", form=".2f")
    artist = artists(picture)[0]
    for text, value in zip(picture.figure.axes[0].texts, np.linspace(-1, 1, 9), strict=True):
        red, green, blue, _ = artist.cmap(artist.norm(value))
        bright = 0.3 * red + 0.59 * green + 0.11 * blue
        assert (text.get_color() == "black") == (bright > 0.5)


def test_numbers_put_signs_between_grids():
    picture = plots.numbers([np.eye(2)] * 3, ["patch", "weights", "products"], signs=["×", "="])
    assert [t.get_text() for axes in picture.figure.axes[1::2] for t in axes.texts] == ["×", "="]


def test_a_deep_filter_draws_every_slice_and_its_rows_from_the_top():
    patch, weights = RNG.random((5, 3, 3)), RNG.normal(size=(5, 3, 3))
    picture = plots.deep_filter(patch, weights, -1.5)
    meshes = picture.figure.axes[0].collections
    for mesh, grid in zip(meshes, [*patch, *weights], strict=True):
        np.testing.assert_allclose(np.ravel(mesh.get_array()), grid.ravel())
        assert mesh.get_coordinates()[0, 0, 1] > mesh.get_coordinates()[-1, 0, 1]
    texts = [text.get_text() for text in picture.figure.axes[0].texts]
    assert {"−1.50", "the filter: 5 grids of 3×3", "sum of 45\nproducts + bias"} <= set(texts)
    assert "45 products, one response, −1.50" in picture.alt
    with pytest.raises(ValueError, match="of one shape"):
        plots.deep_filter(patch, weights[:4], 0)


def test_an_overlay_shows_the_image_first_and_one_symmetric_scale():
    picture = plots.overlay(GRAY, [GRAY - 0.5, 2 * GRAY], ["a", "b"], unit="drop in logit", percentile=100)
    image, first, second = artists(picture)
    assert image.get_clim() == (0, 1)
    assert first.get_clim() == second.get_clim() == (-2 * GRAY.max(), 2 * GRAY.max())
    assert bars_of(picture)[0].get_ylabel() == "drop in logit"


def test_an_overlay_of_zeros_does_not_raise():
    assert plots.overlay(GRAY, [np.zeros((7, 9))]).png()


# -- charts ----------------------------------------------------------------------------------------------------------


def test_curves_take_their_own_x_or_a_common_one():
    picture = plots.curves({"a": [1, 2, 3], "b": ([10, 20], [5, 6])}, x=[4, 5, 6], xlabel="step", ylabel="loss")
    a, b = picture.figure.axes[0].lines
    assert a.get_xdata().tolist() == [4, 5, 6]
    assert b.get_xdata().tolist() == [10, 20]
    assert "loss against step for a, b" in picture.alt


def test_curves_count_from_zero_and_hide_the_legend_of_a_single_line():
    picture = plots.curves({"only": torch.tensor([3.0, 1.0])}, log="xy")
    assert picture.figure.axes[0].lines[0].get_xdata().tolist() == [0, 1]
    assert picture.figure.axes[0].get_legend() is None
    assert picture.figure.axes[0].get_yscale() == "log"


def test_a_row_of_curves_shares_its_lines_its_vertical_axis_and_one_legend():
    lines = {"one": [1.0, 0.5], "other": torch.tensor([0.9, 0.2])}
    picture = plots.curve_row({"angle": ([0, 90], lines), "pixels": ([0, 4], lines)}, ylabel="accuracy", ylim=(0, 1))
    left, right = picture.figure.axes
    assert left.get_xticks().tolist() == [0, 90]
    many = plots.curve_row({"angle": (range(-6, 7), {"one": [0.5] * 13})}).figure.axes[0]
    assert many.get_xticks().tolist() == [-6, -3, 0, 3, 6]
    assert [axes.get_xlabel() for axes in (left, right)] == ["angle", "pixels"]
    assert right.lines[1].get_xdata().tolist() == [0, 4]
    assert right.lines[1].get_ydata() == pytest.approx([0.9, 0.2])
    assert left.get_ylim() == right.get_ylim() == (0, 1)
    (legend,) = picture.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["one", "other"]
    assert picture.alt == "accuracy against angle, pixels for one, other"
    assert not plots.curve_row({"angle": ([0], {"one": [1.0]})}).figure.legends
    for panels in ({}, {"angle": ([0], {"one": [1.0]}), "pixels": ([0], {"other": [1.0]})}):
        with pytest.raises(ValueError, match="the same lines in all of them"):
            plots.curve_row(panels)


def test_bars_write_their_numbers_with_a_true_minus():
    picture = plots.bars({"up": 0.5, "down": -0.25}, form="{:+.2f}", highlight="down")
    assert [t.get_text() for t in picture.figure.axes[0].texts] == ["+0.50", "−0.25"]
    assert picture.alt == "Bars: up +0.50, down −0.25"
    assert plots.bars({"a-b": 1}).alt == "Bars: a-b 1", "a hyphen in a name is no minus"
    up, down = picture.figure.axes[0].patches
    assert up.get_facecolor() != down.get_facecolor()


def test_bars_stand_in_the_order_given():
    picture = plots.bars({"first": 1, "second": 2})
    picture.figure.canvas.draw()
    low, high = (label.get_window_extent().y0 for label in picture.figure.axes[0].get_yticklabels())
    assert low > high


def test_probabilities_color_the_truth_and_a_wrong_winner():
    from matplotlib.colors import to_rgba

    from helpers.plots.style import BAD, GOOD

    picture = plots.probabilities([GRAY, GRAY], [[0.9, 0.1], [0.2, 0.8]], ["cat", "dog"], labels=[0, 0])
    panels = [axes for axes in picture.figure.axes if axes.patches]
    assert panels[0].patches[0].get_facecolor() == to_rgba(GOOD)
    assert panels[1].patches[0].get_facecolor() == to_rgba(GOOD)
    assert panels[1].patches[1].get_facecolor() == to_rgba(BAD)
    assert picture.alt.endswith("the winners are cat 90%; dog 80%")


def test_confusion_colors_mistakes_only_and_names_the_worst():
    table = [[90, 3, 0], [7, 80, 0], [0, 0, 99]]
    picture = plots.confusion(table, ["a", "b", "c"])
    drawn = np.asarray(artists(picture)[0].get_array())
    assert np.diag(drawn).tolist() == [0, 0, 0]
    assert "279 images, 10 mistakes, most often b is taken for a, 7 times" in picture.alt
    assert "no mistakes" in plots.confusion(np.eye(3), "abc").alt
    texts = [t.get_text() for t in picture.figure.axes[0].texts]
    assert sorted(texts) == sorted(["90", "3", "7", "80", "99"]), "zeros are left out"


# -- words and bytes -------------------------------------------------------------------------------------------------


def every_picture():
    yield plots.images([GRAY, GRAY], ["one", "two"], kind="response", unit="response", title="Two maps")
    yield plots.mosaic(RNG.random((3, 4, 4)))
    yield plots.numbers([np.eye(3)], ["grid"])
    yield plots.overlay(GRAY, [GRAY])
    yield plots.curves({"a": [1, 2]})
    yield plots.bars({"first layer": 1.0})
    yield plots.probabilities([GRAY], [[0.5, 0.5]], ["x", "y"])
    yield plots.confusion(np.eye(2), ["x", "y"])
    yield plots.history(record())


def test_every_picture_has_words_and_the_same_bytes_each_time():
    for picture in every_picture():
        assert len(picture.alt) >= 15, picture.alt
        assert "\n" not in picture.alt
        first = picture.png()
        data, about = picture._repr_mimebundle_()
        assert data["image/png"] == first, "the layout moves from one drawing to the next"
        assert about["image/png"]["alt"] == picture.alt
        assert data["text/plain"] == repr(picture) == f"[{picture.alt}]"


def test_a_caption_stands_below_every_picture_and_the_picture_stays():
    picture = plots.images([GRAY], alt='gray, "by hand"')
    alone, about = picture._repr_mimebundle_()
    assert set(alone) == {"image/png", "text/plain"}
    display.notice("Missing", ["So it is."], "The text speaks of `another`.")
    data, same = picture._repr_mimebundle_()
    shown = data.pop("text/html")
    assert (data, same) == (alone, about)
    assert shown.endswith("The text speaks of <code>another</code>.</div>")
    assert base64.b64encode(alone["image/png"]).decode() in shown
    assert 'alt="gray, &quot;by hand&quot;"' in shown


def test_the_same_picture_made_twice_has_the_same_bytes():
    def make():
        return plots.images([GRAY, -GRAY], ["a", "b"], kind="response", unit="x", title="T").png()

    assert make() == make()


def test_alternative_text_is_composed_from_the_titles_and_can_be_given():
    assert plots.images([GRAY, GRAY], ["a\nb", "c"], title="Digits").alt == "Digits: a b; c"
    assert "2 grids of weights" in plots.images([GRAY, GRAY], kind="weights").alt
    assert plots.images([GRAY], alt="my\n  own words").alt == "my own words"


def test_size_on_the_page_is_that_of_the_pixels():
    picture = plots.images([GRAY])
    data, about = picture._repr_mimebundle_()
    width, height = Image.open(io.BytesIO(data["image/png"])).size
    assert about["image/png"]["width"] == round(width / SHARPNESS)
    assert about["image/png"]["height"] == round(height / SHARPNESS)


def test_png_holds_no_date_and_no_version():
    assert not re.search(rb"tEXt|tIME|iTXt", png(plots.images([GRAY]).figure))


@pytest.mark.parametrize(
    ("side", "lines", "titled"), [(1.2, 3, ""), (1.2, 1, "Above"), (2.0, 3, "Above"), (2.6, 2, "")]
)
def test_nothing_that_is_drawn_is_cut(side, lines, titled):
    """A border of paper is left on every side, so no title, row name or color bar touches it."""
    titles = ["\n".join(["a title with glyphs"] * lines)] * 5
    for picture in (
        plots.images([GRAY] * 5, titles, columns=3, kind="response", rows=["one", "two"], title=titled, side=side),
        plots.overlay(GRAY, [GRAY] * 5, titles, title=titled, unit="drop", side=side),
        plots.numbers([GRAY[:3, :3]] * 3, ["a wide title"] * 3, title=titled, side=side),
        plots.mosaic(np.stack([GRAY] * 9), title="\n".join(["far too long for its sheet, " * 3] * lines), width=3),
    ):
        shown = pixels(picture)
        border = (shown[:3], shown[-3:], shown[:, :3], shown[:, -3:])
        assert all((edge > 245).all() for edge in border)


def test_colors_are_those_that_were_drawn():
    """Reduced to 256 without a color photograph, all of them where one stands beside a map."""
    exact = np.asarray(colormap("response")(0.5 + GRAY / 2))[..., :3] * 255
    for pictures in ([GRAY], [GRAY, RNG.random((7, 9, 3))]):
        picture = plots.images(pictures, kind=["response", "image"][: len(pictures)])
        picture.figure.canvas.draw()
        cells = pixels(picture).reshape(-1, 3)
        nearest = np.abs(cells[:, None] - exact.reshape(1, -1, 3)).max(axis=2).min(axis=0)
        assert nearest.max() <= (14 if len(pictures) == 1 else 3)


def test_a_small_picture_keeps_its_true_colors():
    vivid = np.full((20, 20, 3), 0.5) + 0.1 * RNG.random((20, 20, 3))
    vivid[3, 4] = 0.0, 1.0, 0.2  # one cell in four hundred
    shown = pixels(plots.images([vivid, data.square(data.photo("cat"), side=30)], side=2))
    assert (np.abs(shown.reshape(-1, 3) - [0, 255, 51]).max(axis=1) <= 1).sum() > 50


def test_large_photographs_are_stored_in_256_colors_that_nobody_misses():
    photographs = [data.square(data.photo(name), side=300) for name in ("cat", "china", "hopper")]
    drawn = plots.images(photographs, side=3).figure
    stored = png(drawn, tight=False)
    shown = Image.open(io.BytesIO(stored))
    exact = np.asarray(drawn.canvas.buffer_rgba())[..., :3]
    true = io.BytesIO()
    Image.fromarray(exact).save(true, "png", optimize=True)
    assert len(stored) < 0.6 * true.tell()
    assert shown.mode == "P"
    assert shown.convert("RGB").getpixel((0, 0)) == (255, 255, 255)  # the paper stays white
    away = np.abs(np.asarray(shown.convert("RGB"), float) - exact).mean(2)
    assert away.mean() < 4
    assert np.percentile(away, 99) < 16


def test_png_of_pixels_keeps_every_pixel():
    colors = RNG.integers(0, 256, (6, 5, 4), dtype=np.uint8)
    read = np.asarray(Image.open(io.BytesIO(png_of_pixels(colors))))
    np.testing.assert_array_equal(read, colors[..., :3])


def test_a_picture_can_be_saved(tmp_path):
    picture = plots.images([GRAY])
    picture.save(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes() == picture.png()


def test_no_figure_is_left_open_and_no_setting_is_changed():
    before = dict(matplotlib.rcParams)
    for picture in every_picture():
        picture.png()
    assert dict(matplotlib.rcParams) == before
    import matplotlib.pyplot as plt

    assert plt.get_fignums() == []


def test_use_style_sets_the_house_style():
    with matplotlib.rc_context():
        plots.use_style()
        assert matplotlib.rcParams["image.interpolation"] == "nearest"
        assert not matplotlib.rcParams["axes.spines.top"]


def test_wrap():
    assert wrap("one two three", 7) == "one two\nthree"
    assert wrap("", 5) == ""


def test_numbers_name_their_rows_and_columns():
    picture = plots.numbers([np.eye(3, 2), np.eye(3, 2)], rows=list("abc"), columns=list("xy"), wide=2)
    first, _, second = picture.figure.axes
    assert [label.get_text() for label in first.get_yticklabels()] == list("abc")
    assert [label.get_text() for label in second.get_yticklabels()] == []
    assert [[label.get_text() for label in axes.get_xticklabels()] for axes in (first, second)] == [list("xy")] * 2
    picture.png()
    box = first.get_window_extent()
    assert box.width / 2 == pytest.approx(2 * box.height / 3, rel=0.01)


# -- training curves -------------------------------------------------------------------------------------------------


def record(steps=40, total=60):
    made = History(total, steps_per_epoch=20)
    made.losses = np.linspace(2.3, 0.1, steps).tolist()
    made.accuracies = np.linspace(0.1, 0.98, steps).tolist()
    return made


def test_history_draws_a_run_that_has_not_begun():
    picture = plots.history(History(10, steps_per_epoch=5))
    assert picture.png()
    left, right = picture.figure.axes
    assert left.get_xlim() == right.get_xlim() == (0, 10)


def test_the_axes_of_a_run_do_not_move_while_it_goes_on():
    limits = [plots.history(record(steps)).figure.axes[0].axis() for steps in (10, 20, 40)]
    assert limits[0] == limits[1] == limits[2]


def test_the_running_mean_is_the_mean_of_what_is_there():
    values = RNG.random(30).tolist()
    right = [np.mean(values[max(0, i - 6) : i + 1]) for i in range(30)]
    np.testing.assert_allclose(_smooth(values, 7), right)


def test_history_marks_the_validation_accuracy_at_the_end_of_the_epochs():
    made = record(40, 40)
    fields = Epoch.__dataclass_fields__
    for accuracy in (0.9, 0.95):
        values = dict.fromkeys(fields, 0.5) | {"validation_accuracy": accuracy}
        made.epochs.append(Epoch(**values))
    right = plots.history(made).figure.axes[1]
    dots = next(line for line in right.lines if line.get_label() == "validation")
    assert list(dots.get_xdata()) == [20, 40]
    assert list(dots.get_ydata()) == [0.9, 0.95]
    assert "95.00%" in right.get_title()
    assert "95.00%" in plots.history(made).alt


def test_accuracies_near_one_can_be_told_apart_and_those_at_the_ends_are_drawn():
    made = record(40, 40)
    made.accuracies = [0.0] * 10 + [1.0] * 30
    right = plots.history(made).figure.axes[1]
    near, nearer, top = right.transData.transform([(0, 0.98), (0, 0.99), (0, 0.5)])[:, 1]
    assert nearer - near > 0.1 * (near - top)
    assert plots.history(made).png()


def test_live_curves_draw_nothing_in_a_script(monkeypatch):
    monkeypatch.setattr("helpers.plots.live.history", lambda _: pytest.fail("a script has nowhere to draw"))
    live = plots.LiveCurves(every=0)
    live(record())
    live.close(record())


class Clock:
    """A clock that moves when it is told to, in the place of the module `time`."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr("helpers.plots.live.time", self)

    def perf_counter(self):
        return self.now


def test_live_curves_update_one_display_in_place(monkeypatch):
    import IPython
    import IPython.display

    shown = []

    class Handle:
        def update(self, picture):
            shown.append(("update", picture))

    def display(picture, display_id):
        shown.append(("display", picture))
        return Handle()

    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr(IPython.display, "display", display)
    live = plots.LiveCurves()
    clock = Clock(monkeypatch)
    for steps in (5, 10, 20):
        live(record(steps))
        clock.now += 1
    live.close(record(40))
    assert [what for what, _ in shown] == ["display", "update", "update", "update"]
    assert all(isinstance(picture, Picture) for _, picture in shown)
    assert "40 steps" in shown[-1][1].alt
    live(record(5))
    assert shown[-1][0] == "display", "the next run gets a picture of its own"


def test_live_curves_keep_their_pace(monkeypatch):
    import IPython
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr(IPython.display, "display", lambda p, display_id: shown.append(p))
    live = plots.LiveCurves(every=1000)
    for steps in range(5, 30):
        live(record(steps))
    assert len(shown) == 1


def test_live_curves_leave_most_of_a_slow_computer_to_the_training(monkeypatch):
    import IPython
    import IPython.display

    clock, drawn = Clock(monkeypatch), []

    def display(picture, display_id):
        clock.now += 3
        drawn.append(clock.now)

    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr(IPython.display, "display", display)
    live = plots.LiveCurves(every=0.5)
    for _ in range(300):
        live(record(2))
        clock.now += 0.1
    assert 2 <= len(drawn) <= 5
    assert 3 * len(drawn) <= 0.3 * clock.now, "at most a fifth, but for the first picture"


def test_the_bytes_of_a_bundle_can_be_embedded():
    data, _ = plots.images([GRAY])._repr_mimebundle_()
    assert base64.b64encode(data["image/png"])[:8] == b"iVBORw0K"


def test_names_at_the_ends_of_lines_stand_apart_in_the_colors_of_the_lines():
    picture = plots.curves({"low": [0, 1], "high": [0, 10], "next": [0, 9.9]}, mark={"here": 1}, ends=True)
    (axes,) = picture.figure.axes
    named = {text.get_text().strip(): text for text in axes.texts}
    heights = [named[name].get_position()[1] for name in ("low", "next", "high")]
    assert min(np.diff(heights)) > 0.05
    assert [named[line.get_label()].get_color() for line in axes.get_lines()[:3]] == [
        line.get_color() for line in axes.get_lines()[:3]
    ]
    assert axes.get_legend() is None


def test_thick_lines_part_a_grid_into_blocks():
    thin, thick = (plots.numbers([np.ones((4, 6)), np.ones((2, 3))], blocks=blocks) for blocks in (0, 2))
    assert [len(picture.figure.axes[0].lines) for picture in (thin, thick)] == [0, 3]


# -- signals and letters -----------------------------------------------------------------------------------------------


def test_signals_stand_in_rows_with_their_maps_behind_them():
    lines, maps = RNG.normal(size=(2, 30)), RNG.normal(size=(2, 30))
    picture = plots.signals(lines, ["one", "other"], maps=maps, marks=[None, 7], unit="drop")
    above, below, bar = picture.figure.axes
    assert above.lines[0].get_ydata() == pytest.approx(lines[0])
    assert np.asarray(below.images[0].get_array()) == pytest.approx(maps[1:2])
    assert above.images[0].norm.vmax == below.images[0].norm.vmax == -below.images[0].norm.vmin
    assert (len(above.lines), len(below.lines)) == (1, 2)
    assert below.lines[1].get_xdata() == [7]
    assert bar.get_ylabel() == "drop"
    assert picture.alt == "Signals: one, other"
    assert not plots.signals(lines, ["one", "other"]).figure.axes[0].images
    for rows, names, wrong in (([], [], ()), (lines, ["one"], ()), (lines, ["one", "other"], maps[:, :9])):
        with pytest.raises(ValueError, match="Each signal needs a name"):
            plots.signals(rows, names, maps=wrong)


def test_letters_of_a_logo_are_as_high_as_their_weights():
    weights = np.array([[2.0, -1.0], [0.5, 0.0], [-3.0, 0.0], [0.0, 0.0]])
    picture = plots.logos([weights, -weights], ["up", "down"], columns=2)
    boxes = [patch.get_path().get_extents() for patch in picture.figure.axes[0].patches]
    spans = {(round(box.y0, 2), round(box.y1, 2)) for box in boxes if box.height > 0}
    assert spans == {(0.0, 0.5), (0.5, 2.5), (-3.0, 0.0), (-1.0, 0.0)}, "the largest stands outermost"
    assert picture.alt == "Logos: up, down"
    assert picture.figure.axes[0].get_title() == "up"
    for filters in ([], [weights[:3]]):
        with pytest.raises(ValueError, match="a row for each of the letters"):
            plots.logos(filters)
