"""Versions: which differ from constraints.txt, what the newest ones break, and how constraints.txt is renewed.

- ``python -m tools.versions``: which installed packages differ from constraints.txt, as a Markdown table.
- ``python -m tools.versions report test.log``: the same with a verdict and what a test run left in its log: the text of
  the one issue that the scheduled job keeps up to date.
- ``python -m tools.versions renew`` (`make constraints`): write constraints.txt with the newest versions of everything
  that pyproject.toml allows. `renew numpy torch` moves these two and what they need.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from tools import ROOT

CONSTRAINTS = ROOT / "constraints.txt"
HEAD = """\
# Exact versions for every platform, written by `make constraints` (`make constraints PACKAGES="numpy torch"` moves only
# these and what they need). A version that must not be older stands in pyproject.toml. Then run `make test`.
"""
#: Lines of a log that say what failed; the first group is what the report shows.
TELLING = re.compile(r"^((?:FAILED|ERROR) .+|E   .+|(?:\S*Error|make): .+|.*\d+ (?:failed|errors?)\b.*)$", re.MULTILINE)
#: GitHub takes 65,536 characters.
LINES, WIDTH = 60, 300


def pinned() -> dict[str, str]:
    """Return {name: exact version} for this Python and platform, as constraints.txt fixes them."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    here = [one for one in wanted if one.marker is None or one.marker.evaluate()]
    return {one.name: next(iter(one.specifier)).version for one in here}


def differing(pins: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return (name, pinned version, installed version) of every installed package whose public version differs."""
    found = []
    for name, version in sorted(pins.items()):
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if Version(installed).public != Version(version).public:
            found.append((name, version, installed))
    return found


def table() -> str:
    """What differs, as a Markdown table or in a sentence."""
    rows = differing(pinned())
    if not rows:
        return "All versions are those of constraints.txt."
    lines = ["| package | constraints.txt | here |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def report(log: Path, address: str = "") -> str:
    """What a run on the newest versions came to, for people who did not see it.

    Args:
        log: what the tests printed; if there is no such file the run did not get as far as the tests.
        address: of the whole run.
    """
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)  # colors
    told = [line[:WIDTH].rstrip() for line in TELLING.findall(text)]
    told = list(dict.fromkeys(told))[-LINES:]
    failed = [line for line in told if line.startswith(("FAILED", "ERROR"))]
    if failed:
        verdict = f"**{len(failed)} test{'s fail' if len(failed) > 1 else ' fails'} on the newest versions.**"
    elif re.search(r"\d passed", text) and not told:
        return f"Everything passes on the newest versions.\n\n{table()}\n"
    elif text:
        verdict = "**The run on the newest versions stopped before its end.**"
    else:
        verdict = "**The newest versions could not be installed, or the run stopped before the first test.**"
    parts = [
        verdict + (f" The whole run: {address}" if address else ""),
        "Students who install today get these versions unless they use `make lab`, which keeps to constraints.txt.",
        "### What fails",
        "```text\n" + "\n".join(line.replace("```", "'''") for line in told) + "\n```"
        if told
        else "The log names nothing.",
        "### Which versions differ",
        table(),
        "### What to do",
        "1. Try it here: `make test VERSIONS=newest`, and back with `VERSIONS=pinned`.\n"
        "2. Change the code so that it runs on both, or raise the bound in pyproject.toml with the reason.\n"
        "3. `make constraints`, then `make test`; this issue closes itself after the next run that passes.",
    ]
    return "\n\n".join(parts) + "\n"


def renew(packages: list[str]) -> None:
    """Write constraints.txt anew, for every platform; uv does the reckoning, from an environment of its own.

    Raises:
        subprocess.CalledProcessError: if uv cannot be had or finds no solution; constraints.txt is then as before.
    """
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, "uv"], check=True)
        made = Path(folder, "constraints.txt")
        made.write_bytes(CONSTRAINTS.read_bytes())  # uv keeps the versions it finds there
        uv = Path(folder, "bin", "uv.exe" if sys.platform == "win32" else "uv")
        command = [str(uv), "pip", "compile", "pyproject.toml", "--all-extras", "--universal", "--quiet"]
        command += ["--python-version", "3.11", "--no-header", "--no-annotate", "--no-emit-index-url", "-o", str(made)]
        command += [f"--upgrade-package={name}" for name in packages] or ["--upgrade"]
        subprocess.run(command, cwd=ROOT, check=True)
        lines = made.read_text(encoding="utf-8").splitlines(keepends=True)
    CONSTRAINTS.write_text(HEAD + "".join(line for line in lines if not line.startswith("#")), encoding="utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command")
    reporting = commands.add_parser("report")
    reporting.add_argument("log", type=Path)
    reporting.add_argument("--run", default="", help="address of the whole run")
    renewing = commands.add_parser("renew")
    renewing.add_argument("packages", nargs="*")
    options = parser.parse_args()
    if options.command == "report":
        print(report(options.log, options.run), end="")
    elif options.command == "renew":
        try:
            renew(options.packages)
        except subprocess.CalledProcessError as problem:
            sys.exit(
                f"constraints.txt is as before: {Path(problem.cmd[0]).name} stopped with status {problem.returncode}."
            )
    else:
        print(table())


if __name__ == "__main__":
    main()
