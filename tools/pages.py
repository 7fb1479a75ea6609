"""Write every lesson as a page to read into site/, with an index: `python -m tools.pages` (make site).

The pages need no server and no kernel: pictures are inside them, interactive tools show their stored picture, hints and
solutions are folded, presenter notes are left out. Only formulas ask the network for something (MathJax); without a
network they read as their TeX source.
"""

import base64
import html
import mimetypes
import re
from pathlib import Path

from nbconvert import HTMLExporter

from tools import ROOT
from tools.lessons import notebooks, read

SITE = ROOT / "site"
INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Convolutional networks by eye</title>
<style>
  body {{ font-family: system-ui, sans-serif; max-width: 44em; margin: 3em auto; padding: 0 1em; line-height: 1.5; }}
  li {{ margin: 0.7em 0; list-style: none; }}
  p.goal {{ margin: 0; color: #444; }}
</style>
</head>
<body>
<h1>Convolutional networks by eye</h1>
<p>The lessons as pages to read. To move the sliders and do the exercises, run them: <code>make lab</code>.</p>
<ul>
{entries}
</ul>
</body>
</html>
"""


def describe(source: str) -> tuple[str, str]:
    """Return the title of a lesson and the first paragraph below it, from its first cell."""
    title, _, rest = source.partition("\n")
    paragraphs = [
        part.strip() for part in rest.split("\n\n") if part.strip() and not part.strip().startswith(("!", "<"))
    ]
    return title.lstrip("# "), re.sub(r"[*`]", "", paragraphs[0].replace("\n", " ")) if paragraphs else ""


def link(path: Path | None, words: str) -> str:
    """Return a link to the page of a lesson, or nothing."""
    return f'<a href="{path.stem}.html">{html.escape(words)}</a>' if path else ""


def inline(picture: Path) -> str:
    """Return a picture as a data address. (The exporter's own `embed_images` unfolds every <details>.)"""
    kind = mimetypes.guess_type(picture.name)[0]
    return f"data:{kind};base64,{base64.b64encode(picture.read_bytes()).decode()}"


def page(path: Path, before: Path | None, after: Path | None) -> tuple[str, str, str]:
    """Return one lesson as HTML, its title and its first paragraph."""
    notebook = read(path)
    notebook.cells = [
        cell for cell in notebook.cells if cell.metadata.get("slideshow", {}).get("slide_type") != "notes"
    ]
    title, goal = describe(notebook.cells[0].source)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"(\]\(\d\d_\w+)\.ipynb", r"\1.html", cell.source)
            cell.source = re.sub(
                r"(!\[[^\]]*\]\()([^):]+)\)", lambda found: found[1] + inline(path.parent / found[2]) + ")", cell.source
            )
    exporter = HTMLExporter(template_name="page_template", extra_template_basedirs=[str(ROOT / "tools")])
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    formulas = any("$" in cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    navigation = '<a href="index.html">All lessons</a>' + link(before, "← Back") + link(after, "Next →")
    resources = {"lessons": navigation, "formulas": formulas, "metadata": {"name": title, "path": str(path.parent)}}
    body, _ = exporter.from_notebook_node(notebook, resources=resources)
    return body, title, goal


def main() -> None:
    """Write the pages and the index."""
    SITE.mkdir(exist_ok=True)
    paths = notebooks()
    entries = []
    for before, path, after in zip([None, *paths], paths, [*paths[1:], None], strict=False):
        body, title, goal = page(path, before, after)
        (SITE / f"{path.stem}.html").write_text(body, encoding="utf-8")
        entries.append(f'<li>{link(path, title)}<p class="goal">{html.escape(goal)}</p></li>')
    (SITE / "index.html").write_text(INDEX.format(entries="\n".join(entries)), encoding="utf-8")
    print(f"{len(paths)} lessons: open site/index.html")


if __name__ == "__main__":
    main()
