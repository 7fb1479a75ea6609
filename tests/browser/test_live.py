"""The tools that run in the pages: their arithmetic is that of PyTorch and of the helpers, and they answer the hand."""

import base64
import io
import re
import statistics
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from helpers import data
from helpers.data import strokes
from helpers.explorers.class_maps import ClassMapBrowser, lit
from helpers.explorers.window_stepper import WindowStepper
from helpers.filters import convolve, kernels
from helpers.inside import fields
from helpers.inside.occlusion import occlusion
from helpers.network import checkpoints, photonet, running
from tools import ROOT, flipbooks, lessons, live, pages
from tools.browser import barriers

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The pages of the tools, written once."""
    made = tmp_path_factory.mktemp("live")
    live.write(made, (ROOT / "tools" / "page_template" / "page.css").read_text(encoding="utf-8"))
    return made


def module(*names):
    """The address of a module made of these, the last of which imports nothing but those before it."""
    sources = [(live.FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in names]
    joined = re.sub(r"^import .*", "", "\n".join(sources), flags=re.MULTILINE)
    return "data:text/javascript;base64," + base64.b64encode(joined.encode()).decode()


@pytest.fixture(scope="session")
def rounded():
    """The network with the weights that the pages have."""
    model = checkpoints.load("mnist")
    short = live.rounded()
    model.load_state_dict({name: short[name.partition(".")[2]].float() for name in model.state_dict()})
    return model


def b64(array):
    """The bytes of an array as base64: quicker on its way to the page than a list."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


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
            "const all = new Float32Array(Uint8Array.from(atob(images), letter => letter.charCodeAt(0)).buffer);"
            "return Array.from({length: all.length / 784}, (_, i) =>"
            " [...run(weights, all.subarray(784 * i, 784 * i + 784)).logits]); }",
            [module("im2col", "network"), *live.packed(live.rounded()), b64(images.numpy())],
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
            [module("im2col", "network"), *live.packed(live.rounded()), image.flatten().tolist(), target, size, stride],
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
            [module("im2col", "network"), image.ravel().tolist(), kernel.ravel().tolist()],
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


NO_CAMERA = "void (navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('none'); })"


@pytest.mark.parametrize("name", ["playground", "photograph"])
def test_the_camera_films_until_it_is_stopped_and_may_be_missing(name, folder, page):
    if name == "photograph":
        needs_the_network()
    page.goto((folder / f"{name}.html").as_uri())
    shown = {"playground": "photo", "photograph": "shown"}[name]
    pixels = f"document.getElementById('{shown}').toDataURL()"
    said = {"playground": "sum", "photograph": "caption"}[name]
    page.wait_for_function(f"document.getElementById('{said}').textContent")  # the first photograph is there
    before = page.evaluate(pixels)
    page.click("#camera")
    page.wait_for_function(f"{pixels} !== {before!r}")
    for _ in range(2):  # it goes on filming
        page.wait_for_function(f"{pixels} !== {page.evaluate(pixels)!r}")
    assert page.inner_text("#camera") == "stop the camera"
    page.click("#camera")
    assert page.inner_text("#camera") == "camera"
    page.wait_for_timeout(50)
    last = page.evaluate(pixels)
    page.wait_for_timeout(300)
    assert page.evaluate(pixels) == last
    # What is stored takes the place of the film.
    page.click("#camera")
    page.wait_for_function(f"{pixels} !== {last!r}")
    if name == "playground":
        page.select_option("#image", "china")
    else:
        page.click("#stored button:first-child")
    page.wait_for_function(f"{pixels} === {before!r}")
    page.wait_for_timeout(300)
    assert page.evaluate(pixels) == before
    page.evaluate(NO_CAMERA)
    page.click("#camera")
    page.wait_for_function("document.getElementById('error').textContent.includes('no camera')")
    assert page.inner_text("#camera") == "camera"


def test_a_link_to_a_lesson_says_its_title():
    titles = {path.stem: pages.describe(lessons.read(path).cells[0].source)[0] for path in lessons.notebooks()}
    texts = "".join(path.read_text(encoding="utf-8") for path in live.FOLDER.glob("*.html"))
    links = re.findall(r'href="(\d\d_\w+)\.html">([^<]+)<', texts)
    assert len(links) > 6
    assert {(stem, words) for stem, words in links} <= set(titles.items())


# The window stepper --------------------------------------------------------------------------------------------------


def said_by(tool):
    """What the explorer writes: size of image and map, sum, place, formula, and why nothing fits."""
    size, filled = (title.get_text() for title in tool._titles)
    texts = [tool._sum, tool._place, tool._formula, tool._verdict]
    total, where, formula, verdict = (" ".join(text.get_text().split()) for text in texts)
    fits = tool._sum.get_visible()
    return size, filled if fits else "", total if fits else verdict, where if fits else "", formula


def test_the_stepper_says_what_the_explorer_says_and_fills_the_same_map(folder, page):
    page.goto((folder / "stepper.html").as_uri())
    tool = WindowStepper()
    rng = np.random.default_rng(0)
    choices = [
        {
            "image": str(rng.choice(list(tool.images))),
            "kernel": str(rng.choice(list(tool.kernels))),
            "stride": int(rng.integers(1, 6)),
            "padding": int(rng.integers(0, 5)),
            "dilation": int(rng.integers(1, 5)),
        }
        for _ in range(10)
    ]
    choices.append({"image": "digit: 3, small", "kernel": "diagonal 7×7", "stride": 2, "padding": 0, "dilation": 3})
    fitting = 0
    for chosen in choices:
        tool.set(**chosen)
        at = int(rng.integers(0, tool._position.max + 1))
        tool.set(position=at)
        fitting += tool.grid[0] > 0
        for name in ("image", "kernel"):
            page.select_option(f"#{name}", chosen[name])
        move = "(field, value) => { field.value = value; field.dispatchEvent(new Event('input')); }"
        for name, value in [*((n, chosen[n]) for n in ("stride", "padding", "dilation")), ("position", at)]:
            page.locator(f"#{name}").evaluate(move, str(value))
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        size, filled, total, where, formula = said_by(tool)
        ours = [page.locator(f"#{name}").text_content() for name in ("size", "filled", "sum", "formula")]
        wanted = [size, filled, total, re.sub(r" (?=\d+ pixels? (is|are) left)", "; ", formula)]
        assert ours == wanted, chosen
        if tool.grid[0]:
            assert page.locator("#place").text_content() == where
    assert 5 < fitting < len(choices)


def test_the_map_of_the_stepper_is_that_of_the_helper(page):
    image = np.random.default_rng(2).random((11, 9), dtype=np.float32)
    kernel = np.random.default_rng(3).normal(size=(3, 2)).astype(np.float32)
    for stride, padding, dilation in [(1, 0, 1), (2, 1, 1), (3, 4, 2), (1, 2, 3)]:
        settings = {"stride": stride, "padding": padding, "dilation": dilation}
        got = page.evaluate(
            """async ([code, image, kernel, settings]) => {
                 const {response} = await import(code);
                 return response({data: image, shape: [11, 9]}, {data: kernel, shape: [3, 2]}, settings); }""",
            [module("window"), image.ravel().tolist(), kernel.ravel().tolist(), settings],
        )
        wanted = convolve.correlate2d(image, kernel, **settings)
        np.testing.assert_allclose(np.reshape(got["data"], got["shape"]), wanted, atol=1e-5)


def test_the_stepper_plays_stops_and_goes_where_one_clicks(folder, page):
    page.goto((folder / "stepper.html").as_uri())
    at = "Number(document.getElementById('position').value)"
    start = page.evaluate(at)
    page.click("#forward")
    assert page.evaluate(at) == start + 1
    page.locator("#position").press("ArrowLeft")
    assert page.evaluate(at) == start
    page.select_option("#pace", "64")
    page.click("#play")
    page.wait_for_function(f"{at} >= {start + 3}")
    page.click("#play")
    stopped = page.evaluate(at)
    page.wait_for_timeout(200)
    assert page.evaluate(at) == stopped
    page.locator("#position").evaluate("field => { field.value = field.max - 1; }")
    page.click("#play")
    page.wait_for_function("document.getElementById('play').textContent === 'play'")  # it has come to the end
    assert page.evaluate(f"{at} === Number(document.getElementById('position').max)")
    # The map is 12×12, the image 14×14: the last cell, and the pixel around which the first window lies.
    for name, cells, (row, column), number in [("goal", 12, (11, 11), 143), ("window", 14, (1, 1), 0)]:
        box = page.locator(f"#{name}").bounding_box()
        side = box["width"] / cells
        page.mouse.click(box["x"] + (column + 0.5) * side, box["y"] + (row + 0.5) * side)
        assert page.evaluate(at) == number


# The network for photographs -----------------------------------------------------------------------------------------


def needs_the_network():
    """The file of the network, or skip."""
    file = live.network_file()
    if file is None:
        pytest.skip("the file of the network for photographs cannot be had")
    return file


@pytest.fixture(scope="session")
def squares():
    """The photographs of the page, as the page stores them, (N, 3, 227, 227)."""
    pictures = [data.square(data.photo(name), part) for name, part in live.SQUARES.items()]
    return photonet.batch([(255 * picture).round() / 255 for picture in pictures])


def test_logits_and_class_maps_of_photographs_are_pytorchs(page, squares):
    file = needs_the_network()
    network = photonet.decoded(file)
    logits, maps = running.predict(network, squares), photonet.class_maps(network, squares)
    classes = sorted({*logits.topk(3).indices.flatten().tolist(), photonet.number("bathing cap"), 0, 999})
    got = page.evaluate(
        """async ([code, file, images, classes]) => {
          const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
          const {decode, run} = await import(code), layers = decode(bytes(file)), found = [];
          for (const image of images) {
            const going = run(layers, {data: new Float32Array(bytes(image).buffer), shape: [3, 227, 227]}), shares = [];
            for (;;) {
              const {value, done} = going.next();
              if (!done) { shares.push(value); continue; }
              const {maps, logits} = value, shown = classes.map(c => [...maps.data.subarray(225 * c, 225 * c + 225)]);
              found.push({shares, shape: maps.shape, maps: shown, logits: [...logits]});
              break;
            }
          }
          return found;
        }""",
        [
            module("im2col", "photonet"),
            base64.b64encode(file).decode(),
            [b64(image) for image in squares.numpy()],
            classes,
        ],
    )
    for ours, theirs, theirs_maps in zip(got, logits.numpy(), maps.numpy(), strict=True):
        assert ours["shape"] == [1000, 15, 15]
        np.testing.assert_allclose(ours["logits"], theirs, rtol=1e-3, atol=1e-4)
        assert np.argmax(ours["logits"]) == theirs.argmax()
        found = np.reshape(ours["maps"], (-1, 15, 15))
        np.testing.assert_allclose(found, theirs_maps[classes], rtol=1e-3, atol=1e-3)
        assert ours["shares"] == sorted(ours["shares"])
        assert ours["shares"][-1] == 1


def test_a_broken_file_of_the_network_is_not_believed(page):
    file = needs_the_network()
    for wrong, words in [(file[:-5], "ends after"), (file + b"12345", "too many")]:
        said = page.evaluate(
            """async ([code, file]) => {
              const {decode} = await import(code);
              const bytes = Uint8Array.from(atob(file), letter => letter.charCodeAt(0));
              try { decode(bytes); } catch (error) { return error.message; }
            }""",
            [module("im2col", "photonet"), base64.b64encode(wrong).decode()],
        )
        assert words in said


def test_a_photograph_is_read_and_any_class_lights_its_place(folder, page, squares, tmp_path):
    network = photonet.decoded(needs_the_network())
    answers = photonet.answers(network, squares, 5)
    page.goto((folder / "photograph.html").as_uri())

    def says(name):
        page.wait_for_function("name => document.getElementById('answer').textContent.includes(name)", arg=name)

    def shown():
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        png = page.evaluate("document.getElementById('lit').toDataURL()").partition(",")[2]
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")) / 255

    def wanted(image, name):
        maps = photonet.class_maps(network, image[None])
        spot = fields.place(maps[:, photonet.number(name)], network, image[None], "maps")[0].numpy()
        return lit(image.numpy().transpose(1, 2, 0), spot)

    for name, (best, *_), image in list(zip(live.SQUARES, answers, squares, strict=True))[:2]:
        page.click(f"#stored button:has(img[alt='{name}'])")
        says(f"It says {best[0]}, ")
        np.testing.assert_allclose(shown(), wanted(image, best[0]), atol=0.01)
    buttons = page.locator("#best button").all_inner_texts()
    assert [re.sub(r"\s[\d.]+%$", "", text) for text in buttons] == [name for name, _ in answers[1]]
    shares = [float(re.search(r"([\d.]+)%$", text)[1]) / 100 for text in buttons]
    assert shares == pytest.approx([share for _, share in answers[1]], abs=0.006)

    page.locator("#best button").nth(2).click()
    np.testing.assert_allclose(shown(), wanted(squares[1], answers[1][2][0]), atol=0.01)
    assert page.locator("#best button[aria-pressed=true]").all_inner_texts() == [buttons[2]]
    page.fill("#search", "bathing C")
    page.press("#search", "Enter")
    np.testing.assert_allclose(shown(), wanted(squares[1], "bathing cap"), atol=0.01)
    assert page.inner_text("#caption").startswith("bathing cap, ")
    page.fill("#search", "unicorn")
    assert page.inner_text("#found") == "It knows no class of this name."
    assert barriers(page) == []

    (tmp_path / "notes.jpg").write_text("no picture")
    page.set_input_files("#file", tmp_path / "notes.jpg")
    page.wait_for_function("document.getElementById('error').textContent.includes('not a picture')")
    # One's own photograph: the cat again, larger than the network takes it and with a margin that is cut off.
    cat = np.kron((255 * squares[1]).round().numpy().astype(np.uint8).transpose(1, 2, 0), np.ones((2, 2, 1), np.uint8))
    Image.fromarray(np.pad(cat, [(0, 0), (60, 60), (0, 0)])).save(tmp_path / "cat.png")
    page.click("#stored button:first-child")
    says(f"It says {answers[0][0][0]}, ")
    page.set_input_files("#file", tmp_path / "cat.png")
    says(f"It says {answers[1][0][0]}, ")
    assert page.inner_text("#error") == ""
    np.testing.assert_allclose(shown(), wanted(squares[1], answers[1][0][0]), atol=0.03)


def test_without_the_file_of_the_network_the_page_says_so(monkeypatch, tmp_path, page):
    monkeypatch.setattr("helpers.data.download.find_network", lambda: SimpleNamespace(arrays=None))
    live.write(tmp_path, "")
    page.goto((tmp_path / "photograph.html").as_uri())
    assert "built without the file" in page.inner_text("main")
    assert page.locator("main button").count() == 0
    tool = ClassMapBrowser(
        {"untrained": photonet.untrained()}, {"gray": torch.full((3, 99, 99), 0.5)}, ("tabby", "cup")
    )
    book = flipbooks.flipbook(tool)
    assert "built without the file" in book
    assert "photograph.html" not in book


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
