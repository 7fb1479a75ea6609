"""Run the lessons and store their outputs, in the one form in which they are committed.

    python -m tools.notebooks run [NAME ...]      execute, clean, check, store (make notebooks)
    python -m tools.notebooks clean [NAME ...]  tidy metadata and links to lessons, without running anything

A notebook is written only when every check passed, so a failing run leaves the file as it was. What is stored does not
depend on the machine, the moment or the user: no widget state, no timing, no path, a fixed kernel name. The notebook
metadata `outputs_made_from` is the fingerprint of its code cells; the notebook contract compares the two.
"""

import argparse
import hashlib
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat

from helpers.saving import still
from tools import ROOT, folds
from tools.lessons import Refusal, chosen, read, relink

FINGERPRINT = "outputs_made_from"
KEPT_CELL_METADATA = ("tags", "slideshow", "jupyter", "editable")
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
# A path from the root of some machine: Unix folders that hold people's files, temporary folders, a Windows drive.
MACHINE_PATH = re.compile(
    r"(?<![\w.:/\\~-])(?:/(?:home|root|Users|tmp|var|work|private|mnt|opt|usr|content|Volumes)/[\w.~-]|[A-Za-z]:\\\w)"
)


def fingerprint(notebook: nbformat.NotebookNode) -> str:
    """Return a digest of the code cells, in order: outputs stored beside it belong to exactly this code."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()[:16]


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Bring a notebook, in place, into the form in which it is committed; running it twice changes nothing."""
    kept = {key: notebook.metadata[key] for key in (FINGERPRINT,) if key in notebook.metadata}
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": LANGUAGE, **kept})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        cell.source = "\n".join(line.rstrip() for line in cell.source.strip("\n").split("\n"))
        if cell.cell_type == "markdown":
            cell.source = relink(cell.source)
        cell.metadata = nbformat.from_dict(
            {key: cell.metadata[key] for key in KEPT_CELL_METADATA if key in cell.metadata}
        )
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if still(output)]
            folds.fold(cell)
    return notebook


def problems(notebook: nbformat.NotebookNode) -> list[str]:
    """Say what keeps these outputs from being stored: errors, warnings, paths of this machine."""
    found = []
    own_paths = [str(ROOT), str(Path.home()), tempfile.gettempdir()]
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            where = f"cell {index}"
            if output.output_type == "error":
                found.append(f"{where} raises {output.ename}: {output.evalue}")
            elif output.get("name") == "stderr":
                found.append(f"{where} writes to stderr: {''.join(output.text).strip()[:200]}")
            text = readable(output)
            path = next((path for path in own_paths if len(path) > 1 and path + "/" in text), None)
            path = path or ((match := MACHINE_PATH.search(text)) and match.group())
            if path:
                found.append(f"{where} shows a path of this machine ({path}…)")
    return found


def readable(output: nbformat.NotebookNode) -> str:
    """Return all the text of one output, pictures left out (also those inside HTML)."""
    parts = ["".join(output.get("text", ""))]
    parts += ["".join(value) for kind, value in output.get("data", {}).items() if kind.startswith("text/")]
    return re.sub(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=\s]+", "", "\n".join(parts))


def write(notebook: nbformat.NotebookNode, path: Path) -> bool:
    """Store the notebook with sorted keys and a final newline; tell whether the file changed."""
    nbformat.validate(notebook)
    text = nbformat.writes(notebook, version=nbformat.NO_CONVERT).rstrip("\n") + "\n"
    if path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run every cell in a fresh kernel started in `folder`, replacing the outputs."""
    from nbconvert.preprocessors import ExecutePreprocessor

    os.environ["CNN_MEMORY"] = "off"  # the kernel inherits it: no tally that somebody's own file has filled
    runner = ExecutePreprocessor(
        timeout=900,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        allow_errors=True,
        extra_arguments=["--log-level=ERROR"],  # a warning about a local socket looks like a failure
    )
    runner.coalesce_streams = True
    runner.preprocess(notebook, {"metadata": {"path": str(folder)}})


def relink_pages() -> None:
    """Renew the links to lessons in the project's own pages: README, CONTRIBUTING and their like."""
    for pattern in ("*.md", "docs/*.md", "data/*.md", "benchmarks/*.md", ".github/**/*.md"):
        for page in ROOT.glob(pattern):
            text = page.read_text(encoding="utf-8")
            if (renewed := relink(text)) != text:
                page.write_text(renewed, encoding="utf-8")
                print(page.relative_to(ROOT), "stored")


def require_real_data() -> None:
    """Stop unless both data sets are the real ones: stored outputs are made from nothing else."""
    from helpers import data

    for name in ("mnist", "fashion"):
        if not data.load(name).real:
            raise Refusal(f"Outputs are stored from the real data only, and {name} is not here: run `make data` first.")


def run(paths: list[Path]) -> None:
    """Execute, clean, check and store each notebook."""
    require_real_data()
    for path in paths:
        print(f"{path.name} ...", end=" ", flush=True)
        notebook = read(path)
        execute(notebook, path.parent)
        notebook.metadata[FINGERPRINT] = fingerprint(notebook)
        clean(notebook)
        if found := problems(notebook):
            raise Refusal(f"{path.name} was left as it was: {'; '.join(found)}.")
        print("stored" if write(notebook, path) else "unchanged", flush=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Run or tidy the lessons.")
    parser.add_argument("action", choices=("run", "clean"))
    parser.add_argument("lesson", nargs="*", help="names of lessons, such as occlusion; all of them without one")
    options = parser.parse_args()
    try:
        paths = chosen(options.lesson)
        if options.action == "run":
            run(paths)
        else:
            for path in paths:
                print(path.name, "stored" if write(clean(read(path)), path) else "unchanged")
        relink_pages()
    except Refusal as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
