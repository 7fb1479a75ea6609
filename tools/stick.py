"""The series on a stick, for a room without internet: `make stick TO=/media/usb/cnn`.

The folder holds the lessons with their data, the pages of `make site`, the wheels of all packages for the systems and
Pythons asked for, and an installer that needs nothing else (`tools/stick_install.py`). What is needed is read out of
the wheels themselves, one by one, because pip judges the markers of another system's requirements by this one.
"""

import argparse
import email
import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from helpers.data import download, raw
from tools import ROOT, setup
from tools.lessons import Refusal

#: System → the tags of the wheels that it takes, and what requirements may ask about it.
SYSTEMS: dict[str, tuple[Sequence[str], dict[str, str]]] = {
    "linux": (
        [*(f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)), "manylinux2014_x86_64", "manylinux1_x86_64"],
        {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"},
    ),
    "windows": (
        ["win_amd64"],
        {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
    ),
    "macos": (
        ["macosx_14_0_arm64"],
        {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
    ),
}
#: Packages of which PyTorch's own index has a build without CUDA; on Windows and macOS the usual ones have none.
WITHOUT_CUDA = {"torch", "torchvision"}
INSTALLERS = {
    "install.sh": '#!/bin/sh\nexec python3 "$(dirname "$0")/install.py" "$@"\n',
    "install.bat": '@echo off\r\nwhere py >nul 2>nul\r\nif errorlevel 1 (python "%~dp0install.py" %*) '
    'else (py -3 "%~dp0install.py" %*)\r\npause\r\n',
    "README.txt": "Convolutional networks, by eye\n\n"
    "To look: open site/index.html in a browser. Nothing needs to be installed.\n"
    "To work: install Python {pythons}, then double-click install.bat (Windows) or say `sh install.sh` in a terminal "
    "here\n(Linux, macOS). Nothing needs the internet; the stick has the packages for {systems}.\n",
}


@dataclass(frozen=True)
class Target:
    """A system and a Python for which the stick has wheels."""

    system: str
    python: str

    @property
    def release(self) -> str:
        """The first release of this Python: what suits it suits all that follow, and many systems keep an early one."""
        return f"{self.python}.0"

    def holds(self, requirement: Requirement, extra: str = "") -> bool:
        """Tell whether a requirement counts on this target, for whoever asked for this extra."""
        asked = {
            **SYSTEMS[self.system][1],
            "python_version": self.python,
            "python_full_version": self.release,
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "extra": extra,
        }
        return requirement.marker is None or requirement.marker.evaluate(asked)


def wanted(project: Path) -> list[Requirement]:
    """What the lessons need, and what it takes to install them."""
    table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    return [Requirement(line) for line in table["project"]["dependencies"] + table["build-system"]["requires"]]


def pins(project: Path, target: Target, torch: str) -> dict[str, str]:
    """Package → the requirement that fixes its version on this target."""
    lines = (project / "constraints.txt").read_text(encoding="utf-8").splitlines()
    fixed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    known: dict[str, str] = {
        canonicalize_name(pin.name): f"{pin.name}{pin.specifier}" for pin in fixed if target.holds(pin)
    }
    if torch == "cpu" and target.system == "linux":
        known |= {name: f"{known[name]}+cpu" for name in sorted(WITHOUT_CUDA & known.keys())}
    return known


def fetch(requirements: Sequence[str], target: Target, torch: str, folder: Path) -> None:
    """Download exactly these wheels into a folder, with pip as it is set up on this computer.

    Raises:
        Refusal: in one sentence.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += [
        "--only-binary=:all:",
        "--implementation=cp",
        f"--python-version={target.release}",
        "--dest",
        str(folder),
    ]
    command += [word for tag in SYSTEMS[target.system][0] for word in ("--platform", tag)]
    if torch == "cpu" and target.system == "linux" and any("+cpu" in requirement for requirement in requirements):
        command += ["--extra-index-url", setup.CPU_INDEX]
    done = subprocess.run([*command, *requirements], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR: No matching")]
        reason = lines[-1].removeprefix("ERROR: ") if lines else " ".join(done.stderr.split())[-300:]
        if any(sign in done.stderr for sign in setup.NETWORK_SIGNS):
            reason = "an index could not be reached, so connect to the network and run the same command again"
            if "--extra-index-url" in command:
                reason += f"; where only {setup.CPU_INDEX} is out of reach, FLAGS='--torch default' does without it"
        raise Refusal(f"pip cannot get the packages for {target.system}, Python {target.python}: {reason}.")


def needs(wheel: Path) -> Iterator[Requirement]:
    """What a wheel says that it requires, markers included."""
    with zipfile.ZipFile(wheel) as packed:
        (name,) = [name for name in packed.namelist() if name.count("/") == 1 and name.endswith(".dist-info/METADATA")]
        head = email.message_from_bytes(packed.read(name))
    yield from map(Requirement, head.get_all("Requires-Dist", []))


def gather(project: Path, target: Target, torch: str, folder: Path) -> set[str]:
    """Download everything that the lessons need on a target; return the names of the wheels."""
    fixed, wheels = pins(project, target, torch), dict[str, Path]()
    seen: set[tuple[str, str]] = set()
    todo = wanted(project)
    while todo:
        lacking = {canonicalize_name(need.name): str(need).partition(";")[0] for need in todo}
        with tempfile.TemporaryDirectory(dir=folder) as part:
            missing = [fixed.get(name, asked) for name, asked in lacking.items() if name not in wheels]
            if missing:
                fetch(missing, target, torch, Path(part))
            for path in Path(part).iterdir():
                name = parse_wheel_filename(path.name)[0]
                wheels[name] = Path(shutil.move(path, folder / path.name))
        asked = {(canonicalize_name(need.name), extra) for need in todo for extra in ("", *need.extras)} - seen
        seen |= asked
        todo = [need for name, extra in sorted(asked) for need in needs(wheels[name]) if target.holds(need, extra)]
    return {path.name for path in wheels.values()}


def copy_lessons(project: Path, folder: Path) -> None:
    """Copy the last commit, as a repository of its own that tells nothing about where it comes from."""
    # exFAT knows no executable files: without fileMode, every file of a copy would count as changed.
    silent = ["-c", "core.logAllRefUpdates=false", "-c", "core.fileMode=false"]
    clone = ["git", *silent, "clone", "--quiet", "--depth=1", "--template=", *silent, f"file://{project}", str(folder)]
    done = subprocess.run(clone, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refusal(f"git cannot copy the series: {' '.join(done.stderr.split())}")
    subprocess.run(["git", "remote", "remove", "origin"], cwd=folder, check=True)
    (folder / ".git" / "FETCH_HEAD").unlink(missing_ok=True)


def copy_data(folder: Path) -> list[str]:
    """Copy the data sets and the network for photographs that are at hand; return what is not."""
    places = {files.folder: (download.find(name).root, f"{files.folder}/raw") for name, files in raw.SETS.items()}
    places["SqueezeNet"] = (download.find_network().root, str(Path(raw.NETWORK.path).parent))
    for root, place in places.values():
        if root is not None:
            shutil.copytree(root / place, folder / place, copy_function=shutil.copyfile)
    return [name for name, (root, _) in places.items() if root is None]


def size(folder: Path) -> float:
    """The size of all files in a folder, in GB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9


def make(project: Path, stick: Path, systems: Sequence[str], pythons: Sequence[str], torch: str) -> Iterator[str]:
    """Write or renew a stick; yield what was done, line by line.

    Raises:
        Refusal: when the folder holds something else, or something cannot be had.
    """
    if stick.is_dir() and any(stick.iterdir()) and not (stick / "stick.json").is_file():
        raise Refusal(f"{stick} holds something else: name a folder of its own, for example {stick / 'lessons'}.")
    wheels = stick / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    said = {"pythons": list(pythons), "torch": {name: torch if name == "linux" else "default" for name in systems}}
    (stick / "stick.json").write_text(json.dumps(said), encoding="utf-8")
    kept: set[str] = set()
    for target in (Target(system, python) for system in systems for python in pythons):
        names = gather(project, target, torch, wheels)
        kept |= names
        yield f"{target.system}, Python {target.python}: {len(names)} wheels, {sum_of(wheels, names):.2f} GB"
    for path in wheels.iterdir():
        if path.name not in kept:
            path.unlink()
    for name in ("lessons", "site"):
        shutil.rmtree(stick / name, ignore_errors=True)
    copy_lessons(project, stick / "lessons")
    if lacking := copy_data(stick / "lessons" / "data"):
        yield f"NOT HERE: {', '.join(lacking)}. The lessons will use the stand-in; `make data` fetches what is missing."
    if (project / "site" / "index.html").is_file():
        shutil.copytree(project / "site", stick / "site")
    else:
        yield "NOT HERE: the pages. `make site` writes them."
    shutil.copyfile(project / "tools" / "stick_install.py", stick / "install.py")
    for name, text in INSTALLERS.items():
        filled = text.replace("{pythons}", " or ".join(pythons)).replace("{systems}", ", ".join(systems))
        (stick / name).write_text(filled, encoding="utf-8", newline="")
    yield f"{stick}: {size(stick):.2f} GB"


def sum_of(folder: Path, names: Iterable[str]) -> float:
    """The size of these files of a folder, in GB."""
    return sum((folder / name).stat().st_size for name in names) / 1e9


def main() -> None:
    """Read the command line."""
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    parser = argparse.ArgumentParser(prog="make stick", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="the folder to write, on the stick or elsewhere")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), help="default: all three")
    parser.add_argument("--pythons", nargs="+", default=[here], metavar="3.12", help=f"default: this one, {here}")
    parser.add_argument(
        "--torch", choices=["cpu", "default"], default="cpu", help="default: with CUDA on Linux, 3 GB more"
    )
    options = parser.parse_args()
    if str(options.folder) in ("", "."):
        sys.exit("Where to? Say for example: make stick TO=/media/usb/cnn")
    try:
        for line in make(ROOT, options.folder.resolve(), options.systems, options.pythons, options.torch):
            print(line, flush=True)
    except Refusal as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
