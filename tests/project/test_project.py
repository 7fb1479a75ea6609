"""The project around the lessons: what is tracked and installed, who may import whom, what set-up says."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tools import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base", "jupyter-core": "jupyter_core"}

# Who may import whom: the rooms of helpers, in the order of the series.
ALLOWED = {
    "display": set(),
    "saving": {"display"},
    "names": set(),
    "filters": set(),
    "data": {"display"},
    "network": {"data"},
    "inside": {"filters", "network"},
    "plots": {"display", "filters", "network.history"},
    "exercises": {"display", "data", "filters", "network", "inside"},
    "explorers": {"display", "data", "filters", "network", "inside", "plots"},
    "selftest": {"display", "data", "network"},
}
TARGETS = [
    "lab",
    "test",
    "test-browser",
    "nightly",
    "notebooks",
    "data",
    "checkpoints",
    "fresh",
    "update",
    "slides",
    "site",
    "stick",
    "bench",
    "lint",
    "constraints",
    "clean",
]


def tracked():
    """Every file in the repository, as git knows it; those just written and not ignored count too."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("this is not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def texts():
    """(name, text) of every tracked text file, without the outputs of notebooks, which their contract judges."""
    for path in tracked():
        try:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_no_data_set_and_no_heavy_file_is_tracked():
    for path in tracked():
        name = path.relative_to(ROOT)
        assert not re.search(r"-ubyte(\.gz)?$|\.(npz|npy|whl|tar|zip|parquet|net)$", path.name), f"{name} is data"
        if name.parts[:2] != ("data", "checkpoints"):
            assert path.stat().st_size < 1_500_000, f"{name} is heavy"
        assert name.parts[0] != "data" or name.parts[1] in ("README.md", "checkpoints"), f"{name} is a download"


def test_no_path_of_some_machine_is_tracked():
    # Joined here, so that this file does not find itself.
    forbidden = re.compile(
        "|".join(["/wor" + "k/(main|shared)", "/hom" + r"e/\w", "/Use" + r"rs/[a-z]", "/roo" + "t/", "/tm" + r"p/\w"])
    )
    examples = {
        "tests/lessons/test_contract.py",
        "tests/lessons/test_notebooks.py",
        "tests/project/test_tools.py",
        "tools/notebooks.py",
    }  # they look for such paths
    for name, text in texts():
        if name not in examples and not name.endswith(".ipynb"):
            found = forbidden.search(text)
            assert not found, f"{name} names {found.group()}"


def test_no_package_registry_is_named():
    forbidden = re.compile(
        "|".join(["pypi" + r"\.org", "python" + "hosted", "anaconda" + r"\.(org|com)", "npm" + "js"])
    )
    for name, text in texts():
        found = forbidden.search(text)
        assert not found, f"{name} names {found.group()}"


# The environment -----------------------------------------------------------------------------------------------------


def requirements(*extras):
    """The requirements in pyproject.toml, by canonical name."""
    project = PYPROJECT["project"]
    lines = project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]
    return {canonicalize_name(Requirement(line).name): Requirement(line) for line in lines}


def test_constraints_fix_one_version_of_everything_for_every_platform():
    """Every requirement has its version, in its range, on every Python and platform."""
    pins = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            assert [part.operator for part in requirement.specifier] == ["=="], line
            assert not requirement.url
            pins.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    extras = PYPROJECT["project"]["optional-dependencies"]
    for name, requirement in requirements(*extras).items():
        assert name in pins, f"{name} has no exact version: see the head of constraints.txt"
        for pin in pins[name]:
            version = next(iter(pin.specifier)).version
            assert requirement.specifier.contains(version), f"{pin} is outside of {requirement}"
            assert not Version(version).local, f"{pin} exists on one index only"
        for python in ("3.11", "3.12", "3.13", "3.14"):
            for system in ("linux", "darwin"):
                where = {"python_version": python, "python_full_version": f"{python}.4", "sys_platform": system}
                chosen = [pin for pin in pins[name] if not pin.marker or pin.marker.evaluate(where)]
                assert len(chosen) == 1, f"{name} has {len(chosen)} versions for Python {python} on {system}"


def imported(path):
    """Top-level names of everything that a file imports, inside its functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


def test_whatever_helpers_import_is_declared():
    """A package that is here only because another one needs it may be gone with that one's next version."""
    declared, distributions = set(requirements()), metadata.packages_distributions()
    for path in sorted((ROOT / "helpers").rglob("*.py")):
        for name in set(imported(path)) - set(sys.stdlib_module_names) - {"helpers"}:
            owners = {canonicalize_name(owner) for owner in distributions.get(name, [])}
            assert owners & declared, f"{path.relative_to(ROOT)} imports {name}, which pyproject.toml does not declare"


def test_the_first_part_is_numpy_only():
    for path in (ROOT / "helpers" / "filters").glob("*.py"):
        others = set(imported(path)) - set(sys.stdlib_module_names) - {"helpers", "numpy"}
        assert not others, f"helpers/filters/{path.name} imports {', '.join(others)}"


def test_the_conda_environment_agrees_with_pyproject():
    """The same packages in the same ranges, read by conda's own parser."""
    rattler = pytest.importorskip("rattler")
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    lines = [line for line in environment["dependencies"] if isinstance(line, str)]
    assert [line for line in environment["dependencies"] if not isinstance(line, str)] == [{"pip": ["-e ."]}]
    specs = {line.split()[0]: rattler.VersionSpec(rattler.MatchSpec(line).version or "*") for line in lines}
    wanted = {CONDA_NAMES.get(name, name): requirement.specifier for name, requirement in requirements().items()}
    assert set(specs) == set(wanted) | {"python", "pip"}
    assert str(specs["python"]) == PYPROJECT["project"]["requires-python"]
    for name, specifier in wanted.items():
        for floor in (part.version for part in specifier):
            for version in around(floor):
                same = specs[name].matches(rattler.Version(version)) == specifier.contains(version)
                assert same, f"{name} {version}: environment.yml and pyproject.toml disagree"


def around(floor):
    """Versions on both sides of a floor."""
    *head, last = [int(part) for part in floor.split(".")]
    below = [*head, last - 1] if last else [head[0] - 1, 99]
    return [
        floor,
        f"{floor}.1",
        ".".join(map(str, below)),
        ".".join(map(str, [*head, last + 1])),
        f"{int(floor.split('.')[0]) + 1}.0",
    ]


# The house -----------------------------------------------------------------------------------------------------------


def modules():
    """{dotted name below helpers: path} of every module."""
    folder = ROOT / "helpers"
    found = {".".join(path.relative_to(folder).with_suffix("").parts): path for path in folder.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for name, path in found.items() if name != "__init__"}


def imports(path):
    """Names below helpers that a module imports, those inside its functions included."""
    known = modules()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name} imports relatively: spell `from helpers...` out"
            for alias in node.names:
                full = f"{node.module}.{alias.name}".removeprefix("helpers.")
                if node.module == "helpers" or (node.module or "").startswith("helpers."):
                    yield full if full in known else node.module.removeprefix("helpers.")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("helpers."):
                    yield alias.name.removeprefix("helpers.")


@pytest.mark.parametrize("name", modules())
def test_a_module_imports_only_from_the_rooms_it_may(name):
    room = name.split(".")[0]
    assert room in ALLOWED, f"helpers.{name} needs a row in ALLOWED"
    for other in imports(modules()[name]):
        allowed = {room} | ALLOWED[room]
        assert other in allowed or other.split(".")[0] in allowed, f"helpers.{name} may not import helpers.{other}"


@pytest.mark.parametrize("name", modules())
def test_no_private_name_crosses_a_module(name):
    for node in ast.walk(ast.parse(modules()[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("helpers"):
            private = [alias.name for alias in node.names if alias.name.startswith("_")]
            assert not private, f"helpers.{name} imports {private[0]}, which is private to {node.module}"


def test_no_module_imports_itself_in_a_circle():
    graph = {name: set(imports(path)) - {name} for name, path in modules().items()}
    done = set()

    def visit(name, trail):
        assert name not in trail, f"a circle of imports: {' → '.join([*trail, name])}"
        if name not in done:
            for other in graph[name]:
                visit(other, [*trail, name])
            done.add(name)

    for name in graph:
        visit(name, [])


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("helpers", ("torch", "matplotlib", "numpy", "ipywidgets")),
        ("helpers.data", ("torch", "matplotlib")),
        ("helpers.filters.kernels", ("torch", "matplotlib")),
        ("helpers.filters.convolve", ("torch", "matplotlib")),
        ("helpers.plots", ("torch", "matplotlib.pyplot")),
        ("helpers.exercises", ("torch", "matplotlib")),
    ],
)
def test_importing_costs_no_more_than_it_must(module, absent):
    code = f"import sys, {module}; print([name for name in {absent!r} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert printed.strip() == "[]"


# The commands --------------------------------------------------------------------------------------------------------


def test_make_alone_lists_every_target_with_a_line():
    printed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"^  make (\S+)\s+\S.{10,}$", printed, re.MULTILINE)
    assert listed == TARGETS


def test_ci_calls_make_and_nothing_else():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    commands = [step["run"] for step in workflow["jobs"]["everything"]["steps"] if "run" in step]
    assert [command for command in commands if command.startswith("make")] == [
        "make lint",
        "make data",
        "make test",
        "make test-browser",
    ]
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert re.findall(r"^make .*$", script, re.MULTILINE) == ["make lint", "make test", "make test-browser"]
    assert os.access(ROOT / ".ci/run", os.X_OK)
