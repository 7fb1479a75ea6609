"""What is shown in a notebook: rich text, boxes, notices, a picture and its live widget as one bundle."""

from __future__ import annotations

import html
import sys
from collections.abc import Sequence
from typing import Any

#: The MIME type of a live widget in the data of a notebook's output.
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
#: What notices of this process left to be said below pictures, each once.
CAPTIONS: dict[str, None] = {}


def rich(text: str) -> str:
    """Text as HTML, with ``code`` between backticks set in a fixed-width font."""
    parts = html.escape(text, quote=False).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def plain(text: str) -> str:
    """Text without backticks, for places that cannot show code."""
    return text.replace("`", "")


def box(color: str, content: str, role: str = "") -> str:
    """A block of HTML with a colored edge, legible on light and dark pages.

    Args:
        color: of the edge, in CSS.
        content: HTML.
        role: such as ``"alert"``: how a screen reader announces it.
    """
    style = (
        f"border-left:4px solid {color};padding:6px 12px;margin:4px 0;background:rgba(127,127,127,.08);max-width:60em"
    )
    announced = f' role="{role}"' if role else ""
    return f'<div{announced} style="{style}">{content}</div>'


def notice(title: str, sentences: Sequence[str], caption: str = "") -> None:
    """Say something that must not be overlooked: a block in a notebook, lines on the error stream elsewhere.

    Args:
        title: in bold, above.
        sentences: one a line.
        caption: stands below every picture, tool and answer from now on, because the block is out of sight there.
    """
    if caption:
        CAPTIONS[caption] = None
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    lines = "\n".join(["=" * 78, title, *(f"  {sentence}" for sentence in sentences), "=" * 78])
    if getattr(shell, "kernel", None) is None:
        print(lines, file=sys.stderr)
        return
    from IPython.display import display

    style = "border:3px solid #b35900;background:#fff4e5;color:#1a1a1a;padding:0.6em 1em;margin:0.4em 0"
    body = "<br>".join(rich(sentence) for sentence in sentences)
    block = f'<div role="alert" style="{style}"><strong>{html.escape(title)}</strong><br>{body}</div>'
    display({"text/html": block, "text/plain": lines}, raw=True)


def captions() -> str:
    """What stands below a picture where the text beside it speaks of something that is missing: HTML, mostly none."""
    return "".join(f'<div style="font-size:85%;font-style:italic">{rich(caption)}</div>' for caption in CAPTIONS)


def with_widget(data: dict[str, Any], widget: Any) -> dict[str, Any]:
    """Add the live view of a widget to what an object shows elsewhere: a picture, HTML, words.

    Where a kernel runs the widget is shown, everywhere else the rest.

    Args:
        data: MIME type → content, changed and returned.
        widget: an ipywidgets widget.
    """
    if not hasattr(widget, "_repr_mimebundle_"):  # ipywidgets 7, which Colab has, shows itself in another way
        data[WIDGET_VIEW] = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
        return data
    live = widget._repr_mimebundle_()
    live = live[0] if isinstance(live, tuple) else live
    if live and WIDGET_VIEW in live:
        data[WIDGET_VIEW] = live[WIDGET_VIEW]
    return data
