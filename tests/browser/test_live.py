"""The tools that run in the pages: their arithmetic is that of PyTorch and of the helpers, and they answer the hand."""

import base64
import statistics

import numpy as np
import pytest
import torch

from helpers import data
from helpers.data import strokes
from helpers.filters import convolve, kernels
from helpers.inside.occlusion import occlusion
from helpers.network import checkpoints, running
from tools import ROOT, live

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The pages of the tools, written once."""
    made = tmp_path_factory.mktemp("live")
    live.write(made, (ROOT / "tools" / "page_template" / "page.css").read_text(encoding="utf-8"))
    return made


def module(name):
    """The address of a module that imports nothing."""
    return "data:text/javascript;base64," + base64.b64encode((live.FOLDER / f"{name}.js").read_bytes()).decode()


@pytest.fixture(scope="session")
def rounded():
    """The network with the weights that the pages have."""
    model = checkpoints.load("mnist")
    short = live.rounded()
    model.load_state_dict({name: short[name.partition(".")[2]].float() for name in model.state_dict()})
    return model


UNPACK = """
  const {unpack, run, occlusion} = await import(code);
  const weights = unpack(names, Uint8Array.from(atob(numbers), letter => letter.charCodeAt(0)));
"""


def test_logits_are_pytorchs_on_the_same_weights_and_answers_those_of_the_full_ones(page, rounded):
    mnist = data.load("mnist", first=(1, 1000)).torch()
    images = mnist.test.images[:1000]
    got = torch.tensor(
        page.evaluate(
            f"async ([code, names, numbers, images]) => {{ {UNPACK}"
            "return images.map(image => [...run(weights, Float32Array.from(image)).logits]); }",
            [module("network"), *live.packed(live.rounded()), images.flatten(1).tolist()],
        )
    )
    exact = running.predict(rounded.double(), images.double())
    torch.testing.assert_close(got, exact.float(), atol=1e-5, rtol=1e-6)
    assert torch.equal(got.argmax(1), running.predict(checkpoints.load("mnist"), images).argmax(1))


def test_occlusion_is_that_of_the_helper(page, rounded):
    images = data.load("mnist", first=(1, 20)).torch().test.images[:4]
    for image, (size, stride) in zip(images, [(7, 2), (7, 3), (5, 4), (10, 7)], strict=True):
        target = rounded.float()(image[None]).argmax().item()
        got, steps = page.evaluate(
            f"""async ([code, names, numbers, image, target, size, stride]) => {{ {UNPACK}
              const steps = [], going = occlusion(weights, Float32Array.from(image), target, size, stride);
              for (;;) {{
                const {{value, done}} = going.next();
                if (done) return [[...value], steps];
                steps.push(value);
              }} }}""",
            [module("network"), *live.packed(live.rounded()), image.flatten().tolist(), target, size, stride],
        )
        found = occlusion(rounded.float(), image, size=size, stride=stride)
        np.testing.assert_allclose(np.reshape(got, (28, 28)), found.maps[target], atol=1e-4)
        assert steps[-1] == 1
        assert steps == sorted(steps)


def test_ink_is_placed_as_in_python(page):
    chance = np.random.default_rng(0)
    for _ in range(30):
        rows, columns = chance.integers(30, 90, 2)
        ink = np.zeros((rows, columns), np.float32)
        height, width = chance.integers(1, rows), chance.integers(1, columns)
        top, left = chance.integers(0, rows - height), chance.integers(0, columns - width)
        ink[top : top + height, left : left + width] = chance.random((height, width)) ** 3
        got = page.evaluate(
            "async ([code, ink, rows, columns]) => {"
            " const {place} = await import(code); return [...place(Float32Array.from(ink), rows, columns)]; }",
            [module("strokes"), ink.ravel().tolist(), int(rows), int(columns)],
        )
        np.testing.assert_allclose(np.reshape(got, (28, 28)), strokes.place(ink).image, atol=1e-5)
    nothing = "async code => (await import(code)).place(new Float32Array(100), 10, 10)"
    assert page.evaluate(nothing, module("strokes")) is None


def test_the_playground_computes_what_the_lesson_computes(page):
    image = np.random.default_rng(1).random((40, 50), dtype=np.float32)
    for name in ("sobel x", "sharpen", "box blur"):
        kernel = kernels.get(name)
        got = page.evaluate(
            """async ([code, image, kernel]) => [...(await import(code)).convolution(
                 {data: Float32Array.from(image), shape: [1, 40, 50]},
                 {data: kernel, shape: [1, 1, 3, 3]}, {data: [0]}).data]""",
            [module("network"), image.ravel().tolist(), kernel.ravel().tolist()],
        )
        np.testing.assert_allclose(np.reshape(got, (38, 48)), convolve.correlate2d(image, kernel), atol=1e-5)


def test_stored_digits_are_read_and_one_drawn_by_hand_too(folder, page):
    page.goto((folder / "draw.html").as_uri())
    for digit in strokes.DIGITS:
        page.click(f"button[aria-label='a stored {digit}']")
        page.wait_for_function(f"document.getElementById('answer').textContent.startsWith('It says {digit},')")
    page.click("#clear")
    page.wait_for_function("document.getElementById('answer').textContent === 'Draw a digit.'")
    box = page.locator("#sheet").bounding_box()
    for stroke in strokes.DIGITS["7"]:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=5)
        page.mouse.up()
    page.wait_for_function("document.getElementById('answer').textContent.startsWith('It says 7,')")
    page.wait_for_function("document.getElementById('covered').dataset.done === 'yes'")
    page.click("#undo")
    page.wait_for_function("document.getElementById('answer').textContent === 'Draw a digit.'")


def test_weights_presets_and_a_photograph_of_ones_own(folder, page, tmp_path):
    page.goto((folder / "playground.html").as_uri())
    shown = "document.getElementById('response').toDataURL()"
    page.wait_for_function("document.getElementById('response').width === 158")
    before = page.evaluate(shown)
    page.select_option("#preset", "sharpen")
    page.wait_for_function("document.getElementById('sum').textContent.includes('add up to 1;')")
    assert page.evaluate(shown) != before
    for i in range(9):
        page.fill(f"#w{i}", "1" if i == 4 else "")
    page.wait_for_function("document.getElementById('sum').textContent.includes('add up to 1;')")
    (tmp_path / "notes.jpg").write_text("no picture")
    page.set_input_files("#file", tmp_path / "notes.jpg")
    page.wait_for_function("document.getElementById('error').textContent.includes('not a picture')")
    before = page.evaluate(shown)
    page.set_input_files("#file", ROOT / "docs" / "pictures" / "climb.png")
    page.wait_for_function("document.getElementById('error').textContent === ''")
    page.wait_for_function(f"{shown} !== {before!r}")
    page.click("#camera")
    page.wait_for_function("document.getElementById('error').textContent.includes('no camera')")


def test_from_the_hand_to_the_picture(folder, page):
    """Not how fast it is, which benchmarks say, but that every move of the hand draws once, and in order."""
    page.goto((folder / "playground.html").as_uri())
    page.wait_for_function("document.getElementById('response').width === 158")
    milliseconds = page.evaluate(
        """async () => {
          const field = document.getElementById('w4'), said = document.getElementById('sum'), times = [];
          for (let i = 1; i <= 15; i++) {
            const before = said.textContent, from = performance.now();
            field.value = i / 2;
            field.dispatchEvent(new Event('input'));
            while (said.textContent === before) await new Promise(requestAnimationFrame);
            times.push(performance.now() - from);
          }
          return times;
        }"""
    )
    print(f"playground, weight to picture: median {statistics.median(milliseconds):.0f} ms")
    assert len(milliseconds) == 15
