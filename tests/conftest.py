"""What every test shares: one thread per process, so that workers do not fight over the cores, and the browser."""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ["CNN_MEMORY"] = "off"  # no test reads or writes what the user has solved


@pytest.fixture(autouse=True)
def no_captions(monkeypatch):
    """What one test was told of missing data does not stand below the pictures of the next."""
    from helpers import display

    monkeypatch.setattr(display, "CAPTIONS", {})


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium, one for all the tests that need it."""
    from tools import browser as browser_tools  # playwright is slow to import

    try:
        with browser_tools.chromium() as found:
            yield found
    except FileNotFoundError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def page(browser):
    """A page of a file on the disk: in the end it has complained of nothing, and asked for nothing beyond the disk."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: message.type == "error" and said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A running JupyterLab on a copy of the lessons."""
    from tools import browser as browser_tools

    with browser_tools.jupyterlab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def opened(browser, lab):
    """A function that opens a notebook; the kernels end with the test."""
    from tools.browser import Notebook

    notebooks = []

    def open_notebook(name, dark=False):
        notebooks.append(Notebook(browser, lab, name, dark))
        return notebooks[-1]

    yield open_notebook
    for notebook in notebooks:
        notebook.close()
