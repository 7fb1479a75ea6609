"""Which installed packages differ from constraints.txt, as a Markdown table: ``python -m tools.versions``."""

from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import Version

from tools import ROOT


def pinned() -> dict[str, str]:
    """Return {name: exact version} for this Python and platform, as constraints.txt fixes them."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
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


def main() -> None:
    """Print the table."""
    rows = differing(pinned())
    print(
        "| package | constraints.txt | here |\n|---|---|---|" if rows else "All versions are those of constraints.txt."
    )
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
