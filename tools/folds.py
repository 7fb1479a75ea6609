"""Answers to predictions, stored folded: what a cell tagged `answer` shows must not be read before the question is.

Run, such a cell shows its picture as usual. Stored, all that it showed lies in one HTML output that opens by a click,
in JupyterLab, in the pages and on the web; running the cell replaces it.
"""

import html
import re

import nbformat

ANSWER = "answer"
SUMMARY = "Predict first, then run this cell or open the answer here"
#: What a reader of plain text (a terminal, a diff) finds in place of the answer.
PLAIN = "[the answer to the prediction, folded]"


def fold(cell: nbformat.NotebookNode) -> None:
    """Replace, in place, the outputs of a code cell tagged `answer` by one folded HTML output."""
    if ANSWER not in cell.metadata.get("tags", []) or not cell.outputs or is_folded(cell):
        return
    if any(output.output_type == "error" for output in cell.outputs):
        return  # to be refused, not hidden
    inside = "\n".join(part for part in map(_as_html, cell.outputs) if part)
    source = f"<details><summary>{SUMMARY}</summary>\n{inside}\n</details>"
    cell.outputs = [nbformat.v4.new_output("display_data", data={"text/html": source, "text/plain": PLAIN})]


def is_folded(cell: nbformat.NotebookNode) -> bool:
    """Tell whether all that a code cell stores is one folded output."""
    shown = ["".join(output.get("data", {}).get("text/html", "")) for output in cell.get("outputs", [])]
    return len(shown) == 1 and shown[0].startswith("<details><summary>")


def pictures(cell: nbformat.NotebookNode) -> list[tuple[str, str]]:
    """Return (alternative text, base64 PNG) of every picture that a code cell stores, folded or not."""
    found = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if "image/png" in data:
            about = output.get("metadata", {}).get("image/png", {})
            found.append((about.get("alt", "") if isinstance(about, dict) else "", data["image/png"]))
        for tag in re.findall(r"<img [^>]*>", "".join(data.get("text/html", ""))):
            match = re.search(r'alt="([^"]*)".*src="data:image/png;base64,([^"]+)"', tag, re.DOTALL)
            if match:
                found.append((html.unescape(match[1]), match[2]))
    return found


def _as_html(output: nbformat.NotebookNode) -> str:
    """One output as HTML: a picture with its alternative text, HTML as it is, text in a fixed-width font."""
    data = output.get("data", {})
    if "image/png" in data:
        about = output.get("metadata", {}).get("image/png", {})
        width = f' width="{about["width"]}"' if "width" in about else ""
        alt = html.escape(about.get("alt", ""))
        picture = "".join(data["image/png"].split())
        return f'<img alt="{alt}"{width} style="max-width:100%" src="data:image/png;base64,{picture}">'
    if "text/html" in data:
        return "".join(data["text/html"])
    text = "".join(output.get("text", "") or data.get("text/plain", ""))
    return f"<pre>{html.escape(text)}</pre>" if text else ""
