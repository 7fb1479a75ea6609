"""The deck: a lesson in JupyterLab, one slide at a time, with its kernel; and what only the presenter sees.

JupyterLab's own page stays as it is. The deck is a page around it (`deck.html`, `deck.js`): it shows the cells of one
step and hides the others, sets the size of text for a lecture room and owns the keys. `presenter.html` is a second
page, for another window or a phone: notes, the next slide, minutes. Both talk through the server, behind its token.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from nbconvert.filters import markdown2html
from nbformat import NotebookNode

from tools import lessons

FOLDER = Path(__file__).parent
MINUTES = re.compile(r"\*\*(\d+) min\.\*\*")
FOLD = re.compile(r"<details>\n<summary>[^<]*</summary>\n(.*)\n</details>", re.DOTALL)


def slide_type(cell: NotebookNode) -> str:
    """Return the slideshow role of a cell; the task of an exercise always opens a slide of its own."""
    if cell.cell_type == "markdown" and lessons.TITLE.match(cell.source.split("\n")[0]):
        return "subslide"
    return str(cell.metadata.get("slideshow", {}).get("slide_type", ""))


def plan(path: Path) -> list[dict[str, Any]]:
    """Return the slides of a lesson, in order.

    Each has `steps` (lists of cell indices: a step is shown below the earlier ones), `title`, `minutes` (planned for
    what its notes speak of), `notes` and `answers` (HTML).
    """
    slides: list[dict[str, Any]] = []
    title = ""
    questions = _questions(lessons.name_of(path))
    for index, cell in enumerate(lessons.cells(path)):
        kind = slide_type(cell)
        if kind == "skip":
            continue
        if kind == "notes":
            text = FOLD.sub(r"\1", cell.source)
            slides[-1]["notes"] += markdown2html(text)
            slides[-1]["minutes"] += sum(map(int, MINUTES.findall(text)))
            continue
        if cell.cell_type == "markdown" and (heading := re.search(r"^#+ (.+)$", cell.source, re.MULTILINE)):
            title = heading[1]
        if kind in {"slide", "subslide"} or not slides:
            slides.append({"title": title, "steps": [[]], "minutes": 0, "notes": "", "answers": ""})
        elif kind == "fragment":
            slides[-1]["steps"].append([])
        slides[-1]["steps"][-1].append(index)
        if cell.cell_type == "markdown" and cell.source.startswith("<details>"):
            slides[-1]["answers"] += markdown2html(FOLD.sub(r"\1", cell.source))
        for key in re.findall(r'predict\("([^"]+)"\)', cell.source) if cell.cell_type == "code" else ():
            slides[-1]["answers"] += questions.get(key, "")
    return slides


def _questions(name: str) -> dict[str, str]:
    """Key of a prediction → its right option and all the reasons, as HTML."""
    from helpers.exercises.core import lesson

    try:
        known = lesson(name).questions
    except ValueError:
        return {}
    return {
        key: markdown2html(
            "\n".join(f"- {'**right**: ' if o.right else ''}{o.text} — {o.why}" for o in question.options)
        )
        for key, question in known.items()
    }


def _load_jupyter_server_extension(app: Any) -> None:
    """Serve the deck's pages beside JupyterLab's, to whoever has the server's token."""
    from jupyter_server.base.handlers import JupyterHandler
    from tornado import web

    state: dict[str, dict[str, Any]] = {}

    class Page(JupyterHandler):
        """The deck or the presenter's page of a lesson."""

        @web.authenticated
        def get(self, page: str, name: str) -> None:
            (path,) = lessons.chosen([name])
            self.xsrf_token  # noqa: B018 (reading it sets the cookie that the page must send back)
            words = {"name": name, "base": self.base_url, "notebook": path.relative_to(path.parents[1]).as_posix()}
            self.finish((FOLDER / f"{page}.html").read_text(encoding="utf-8").replace("{config}", json.dumps(words)))

    class Plan(JupyterHandler):
        """The slides of a lesson."""

        @web.authenticated
        def get(self, name: str) -> None:
            (path,) = lessons.chosen([name])
            self.finish({"slides": plan(path)})

    class State(JupyterHandler):
        """Where the deck of a lesson stands; set by the deck, or by the presenter's page, which asks it to move."""

        @web.authenticated
        def get(self, name: str) -> None:
            self.finish(state.get(name, {"slide": 0, "step": 0, "by": "", "count": 0}))

        @web.authenticated
        def put(self, name: str) -> None:
            sent = self.get_json_body() or {}
            before = state.get(name, {"count": 0})
            place = {"slide": int(sent["slide"]), "step": int(sent["step"]), "by": str(sent["by"])}
            state[name] = {**place, "count": before["count"] + 1}
            self.finish(state[name])

    root = re.escape(app.web_app.settings["base_url"])
    app.web_app.add_handlers(
        ".*$",
        [
            (rf"{root}deck/(deck|presenter)/(\w+)", Page),
            (rf"{root}deck/plan/(\w+)", Plan),
            (rf"{root}deck/state/(\w+)", State),
            (rf"{root}deck/static/(.*)", web.StaticFileHandler, {"path": str(FOLDER)}),
        ],
    )


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Say where the extension is."""
    return [{"module": "tools.deck"}]
