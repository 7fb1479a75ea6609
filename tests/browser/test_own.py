"""A photograph from the reader's computer, opened with the button of the kernel playground on a real page."""

import io

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.browser

SOURCES = (
    "from helpers.explorers.playground import KernelPlayground",
    "tool = KernelPlayground(preset='sobel x')\ntool",
)


@pytest.fixture(scope="module")
def page(lab):
    """A notebook with nothing but the tool, stored as `make notebooks` stores a lesson."""
    return lab.store("own.ipynb", SOURCES)


def photograph(width, height):
    """A color JPEG of noise, which hardly gets smaller when it is packed."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    with io.BytesIO() as buffer:
        Image.fromarray(noise).save(buffer, "JPEG", quality=95)
        return buffer.getvalue()


def test_a_photograph_is_opened_and_filtered_and_what_is_none_is_explained(page, opened, tmp_path):
    notebook = opened(page)
    notebook.run_all()
    (tool,) = notebook.tools()

    def choose(file):
        with notebook.page.expect_file_chooser() as chooser:
            tool.element.query_selector("button.jupyter-widgets:has-text('your photograph')").click()
        chooser.value.set_files(file)

    for name, content in {"small.jpg": photograph(300, 200), "large.jpg": photograph(2_000, 2_000)}.items():
        (tmp_path / name).write_bytes(content)
        assert notebook.changes(tool, lambda name=name: choose(tmp_path / name), 20.0)
        assert notebook.execute("print(tool.values['image'], tool.images[tool.values['image']].shape)").strip() == (
            f"{name} (160, 160)"
        )
    assert len(content) > 4_000_000  # as large as those of a phone
    (tmp_path / "notes.txt").write_text("Dear diary")
    assert not notebook.changes(tool, lambda: choose(tmp_path / "notes.txt"), 2.0)
    assert "not a picture" in tool.element.query_selector(".explorer-error").inner_text()
    assert notebook.complaints() == []
    notebook.picture(tool.element, "own")
