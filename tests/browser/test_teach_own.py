"""Your own classes, opened with the buttons of the tool on a real page."""

import io

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.browser

SOURCES = (
    """import numpy as np
from helpers.explorers.teach import TeachExplorer
from helpers.network import photonet

dice = np.random.default_rng(0)
noise = {name: dice.random((3, 51, 51, 3), dtype=np.float32) for name in ("one", "other")}""",
    'tool = TeachExplorer({"untrained": photonet.untrained()}, noise)\ntool',
)


@pytest.fixture(scope="module")
def page(lab):
    """A notebook with nothing but the tool, stored as `make notebooks` stores a lesson."""
    return lab.store("teach_own.ipynb", SOURCES)


def photograph(seed):
    """A color JPEG of noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    with io.BytesIO() as buffer:
        Image.fromarray(noise).save(buffer, "JPEG")
        return buffer.getvalue()


def test_a_class_is_added_and_a_picture_asked_about(page, opened, tmp_path):
    notebook = opened(page)
    notebook.run_all()
    (tool,) = notebook.tools()
    files = [tmp_path / f"mug {i}.jpg" for i in range(3)]
    for i, file in enumerate(files):
        file.write_bytes(photograph(i))
    (tmp_path / "notes.txt").write_text("Dear diary")

    def choose(button, some):
        with notebook.page.expect_file_chooser() as chooser:
            tool.element.query_selector(f"button.jupyter-widgets:has-text('{button}')").click()
        chooser.value.set_files(some)

    assert not notebook.changes(tool, lambda: choose("its pictures", files), 2.0)
    assert "Write the name" in tool.element.query_selector(".explorer-error").inner_text()
    tool.element.query_selector("input[type=text]").fill("<b>mug</b>")
    assert notebook.changes(tool, lambda: choose("its pictures", files), 20.0)  # the same files once more
    assert notebook.changes(tool, lambda: choose("its pictures", [files[0], tmp_path / "notes.txt"]), 20.0)
    assert "not a picture" in tool.element.query_selector(".explorer-error").inner_text()
    assert notebook.execute("print([(name, len(own)) for name, own in tool.classes.items()])").strip() == (
        "[('one', 3), ('other', 3), ('<b>mug</b>', 4)]"
    )
    assert notebook.changes(tool, lambda: choose("your photograph", files[0]), 20.0)
    assert notebook.execute("print(tool.values['asked'])").strip() == "mug 0.jpg"
    assert notebook.complaints() == []
    notebook.picture(tool.element, "teach-own")
