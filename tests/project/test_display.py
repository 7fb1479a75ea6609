"""Rich text, boxes, notices, and a picture with its live widget."""

import subprocess
import sys

import ipywidgets as widgets
import pytest

from helpers import display
from tools import ROOT


def test_rich_text_escapes_everything_and_sets_code():
    assert display.rich('a < b & `x > <b>` "c"') == 'a &lt; b &amp; <code>x &gt; &lt;b&gt;</code> "c"'
    assert display.plain("a `b` c") == "a b c"


def test_a_box_has_a_colored_edge_and_can_be_an_alert():
    assert display.box("#123456", "<b>x</b>").endswith(';max-width:60em"><b>x</b></div>')
    assert "solid #123456" in display.box("#123456", "x")
    assert 'role="alert"' in display.box("red", "x", role="alert")
    assert "role" not in display.box("red", "x")


def test_a_notice_is_lines_on_the_error_stream_without_a_kernel(capsys):
    display.notice("Look & see", ["One <b>.", "Two `x`."])
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[1:4] == ["Look & see", "  One <b>.", "  Two `x`."]


def test_a_notice_is_one_block_in_a_notebook(monkeypatch):
    import IPython
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: type("Shell", (), {"kernel": 1}))
    monkeypatch.setattr(IPython.display, "display", lambda data, raw: shown.append(data))
    display.notice("Look & see", ["One <b>.", "Two `x`."])
    (data,) = shown
    assert "<strong>Look &amp; see</strong><br>One &lt;b&gt;.<br>Two <code>x</code>." in data["text/html"]
    assert 'role="alert"' in data["text/html"]
    assert "One <b>." in data["text/plain"]


@pytest.mark.parametrize("form", [dict, lambda bundle: (bundle, {}), lambda bundle: {}, lambda bundle: None])
def test_a_widget_joins_the_picture_where_it_can_be_shown(monkeypatch, form):
    widget = widgets.IntSlider()
    live = widget._repr_mimebundle_()
    monkeypatch.setattr(widgets.IntSlider, "_repr_mimebundle_", lambda *_, **__: form(live))
    data = display.with_widget({"image/png": "x"}, widget)
    shown = form(live)
    assert set(data) == {"image/png"} | ({display.WIDGET_VIEW} if shown else set())


def test_a_widget_of_ipywidgets_7_joins_as_one_of_today(monkeypatch):
    widget = widgets.IntSlider()
    today = display.with_widget({}, widget)
    monkeypatch.delattr(widgets.Widget, "_repr_mimebundle_")
    assert display.with_widget({}, widget) == today != {}


def test_the_mime_type_stands_in_one_place():
    found = subprocess.run(
        ["git", "grep", "-l", "vnd.jupyter.widget-view", "--", "helpers", "tools"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if found.returncode:
        pytest.skip("this is not a git checkout")
    assert found.stdout.split() == ["helpers/display.py"]


def test_the_hook_of_the_server_imports_next_to_nothing():
    code = "import sys, helpers.saving; print({'numpy', 'torch', 'IPython', 'ipywidgets'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"
