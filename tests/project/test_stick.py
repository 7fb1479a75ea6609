"""`make stick`: what lies on it, what does not, and that it installs and starts without a network."""

import json
import os
import platform
import socket
import subprocess
import sys
import zipfile

import pytest

from helpers.data import download
from tools import ROOT, setup, stick, stick_install
from tools.lessons import Refusal

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
HERE = stick_install.SYSTEMS.get(f"{platform.system()} {platform.machine()}".lower())
SECRET = "packages.example"  # a host name that belongs to nobody (RFC 2606)
#: A build backend in twelve lines, so that the stand-in for the series installs without setuptools.
BACKEND = """
import zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "series-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as packed:
        head = "Metadata-Version: 2.1\\nName: series\\nVersion: 1\\nRequires-Dist: jupyterlab\\n"
        packed.writestr("series-1.dist-info/METADATA", head)
        packed.writestr("series-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        packed.writestr("series-1.dist-info/RECORD", "")
    return name

build_wheel = build_editable
"""


def wheel(folder, name, version="1.0", tag="py3-none-any", needs=(), code=""):
    """Write a wheel with one module, and perhaps requirements."""
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: more\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as packed:
        packed.writestr(f"{name}.py", code)
        packed.writestr(f"{name}-{version}.dist-info/METADATA", head + "".join(f"Requires-Dist: {n}\n" for n in needs))
        packed.writestr(f"{name}-{version}.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        packed.writestr(f"{name}-{version}.dist-info/RECORD", "")


@pytest.fixture
def index(tmp_path, monkeypatch):
    """The only place where pip looks: wheels for several systems. Its other settings must not get onto a stick."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_INDEX_URL", SECRET)
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    started = "import os, sys\nprint('STARTED', os.path.basename(os.getcwd()), *sys.argv[1:], flush=True)\n"
    wheel(folder, "jupyterlab", needs=["torch>=1", "kernel[more]"], code=started)
    wheel(folder, "jupyterlab", "2.0")  # newer than constraints.txt wants it
    wheel(folder, "kernel", needs=["winpty; os_name == 'nt'", "ptyprocess; os_name != 'nt'", "extra; extra == 'more'"])
    for name in ("winpty", "ptyprocess", "extra", "unneeded"):
        wheel(folder, name, needs=["unneeded; extra == 'test'"])
    cuda = "cuda; platform_system == 'Linux'"
    for tag in ("manylinux_2_28_x86_64", "win_amd64", "macosx_11_0_arm64"):
        wheel(folder, "torch", tag=f"py3-none-{tag}", needs=[cuda])
    wheel(folder, "cuda")
    return folder


@pytest.fixture
def project(tmp_path):
    """A stand-in for the series, one commit long, in a folder whose name must not get onto a stick."""
    folder = tmp_path / "secret place"
    texts = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n\n'
        '[project]\nname = "series"\nversion = "1"\ndependencies = ["jupyterlab"]\n',
        "backend.py": BACKEND,
        "constraints.txt": "# exact\njupyterlab==1.0\ntorch==1.0\n",
        "notebooks/00_start_here.ipynb": "first",
        ".gitignore": ".venv/\nsite/\n/data/\n",
    }
    for name in ("tools/setup.py", "tools/stick_install.py", *setup.SETTINGS):
        texts[name] = (ROOT / name).read_text(encoding="utf-8")
    for name, text in {**texts, "site/index.html": "pages"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org"]
    for words in (["init", "-qb", "main"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    return folder


@pytest.fixture
def data(tmp_path, monkeypatch):
    """MNIST and the network are at hand, FashionMNIST is not."""
    root = tmp_path / "data"
    for place in ("MNIST/raw/t10k-labels-idx1-ubyte", "photonet/compressed_SqueezeNet.net"):
        (root / place).parent.mkdir(parents=True)
        (root / place).write_text("seven")
    found, lacking = download.Found({}, root, []), download.Found(None, None, [])
    monkeypatch.setattr(download, "find", lambda name: found if name == "mnist" else lacking)
    monkeypatch.setattr(download, "find_network", lambda: found)


def names(folder):
    return {path.name.partition("-")[0] for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("system", "torch", "wanted"),
    [
        ("linux", "cpu", {"jupyterlab", "torch", "kernel", "ptyprocess", "extra"}),
        ("linux", "default", {"jupyterlab", "torch", "kernel", "ptyprocess", "extra", "cuda"}),
        ("windows", "cpu", {"jupyterlab", "torch", "kernel", "winpty", "extra"}),
        ("macos", "cpu", {"jupyterlab", "torch", "kernel", "ptyprocess", "extra"}),
    ],
)
def test_each_system_gets_what_it_needs_and_no_more(project, index, tmp_path, system, torch, wanted):
    (tmp_path / "wheels").mkdir()
    if torch == "cpu":  # the index of this build is asked only then
        wheel(index, "torch", "1.0+cpu", tag="py3-none-manylinux_2_28_x86_64")
    listed = stick.gather(project, stick.Target(system, "3.12"), torch, tmp_path / "wheels")
    assert {path.name for path in (tmp_path / "wheels").iterdir()} == listed
    assert names(tmp_path / "wheels") == wanted
    assert "jupyterlab-1.0-py3-none-any.whl" in listed
    (build,) = [name for name in listed if name.startswith("torch")]
    assert ("+cpu" in build) == (system == "linux" and torch == "cpu")
    assert {"linux": "linux", "windows": "win", "macos": "macosx"}[system] in build.partition("none-")[2]


@pytest.mark.skipif(HERE is None, reason="no stick is made for this system")
def test_a_stick_installs_and_starts_without_a_network(project, index, data, tmp_path, monkeypatch):
    folder = tmp_path / "a stick"
    wheel(index, "torch", "1.0+cpu", tag="py3-none-manylinux_2_28_x86_64")
    said = list(stick.make(project, folder, [HERE], [PYTHON], "cpu"))
    assert f"{HERE}, Python {PYTHON}: 5 wheels" in said[0]
    assert "NOT HERE: FashionMNIST" in said[1]
    assert (folder / "lessons/data/MNIST/raw/t10k-labels-idx1-ubyte").read_text() == "seven"
    assert (folder / "lessons/data/photonet/compressed_SqueezeNet.net").read_text() == "seven"
    assert (folder / "site/index.html").read_text() == "pages"
    assert f"Python {PYTHON}" in (folder / "README.txt").read_text()
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            assert SECRET.encode() not in text, path
            assert b"secret place" not in text, path

    for variable in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(variable)
    for path in folder.rglob("*"):
        path.chmod(0o777)  # as a stick that knows no permissions shows its files
    for home in ("a room", "a room"):
        done = subprocess.run(
            [sys.executable, str(folder / "install.py"), str(tmp_path / home)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert f"STARTED a room {os.path.join('notebooks', '00_start_here.ipynb')}" in done.stdout
        lesson = tmp_path / home / "notebooks/00_start_here.ipynb"
        if lesson.read_text() == "first":
            lesson.write_text("my answers")
    assert "stay as they are" in done.stdout
    assert lesson.read_text() == "my answers"
    assert (tmp_path / home / ".venv/etc/jupyter/jupyter_config.json").is_file()
    status = ["git", "-c", "safe.directory=*", "status", "--porcelain"]
    changed = subprocess.run(status, cwd=tmp_path / home, capture_output=True, text=True, check=True).stdout
    assert changed == " M notebooks/00_start_here.ipynb\n"  # permissions do not count as changes


def test_a_stick_is_renewed_and_old_wheels_go(project, index, data, tmp_path):
    folder = tmp_path / "stick"
    list(stick.make(project, folder, ["windows"], ["3.12"], "cpu"))
    (project / "constraints.txt").write_text("jupyterlab==2.0\n")
    (project / "site/index.html").unlink()
    said = list(stick.make(project, folder, ["windows"], ["3.12"], "cpu"))
    assert [path.name for path in (folder / "wheels").iterdir()] == ["jupyterlab-2.0-py3-none-any.whl"]
    assert any("`make site`" in line for line in said)
    assert not (folder / "site").exists()


def test_a_folder_with_other_things_is_left_alone(project, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_text("sun")
    with pytest.raises(Refusal, match="holds something else"):
        list(stick.make(project, tmp_path / "photos", ["linux"], ["3.12"], "cpu"))
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["holiday.jpg"]


def test_the_packages_suit_every_release_of_a_python():
    """Debian 12 has Python 3.11.2, for which the newest release of a package may be too new."""
    for python in ("3.11", "3.12", "3.13"):
        target = stick.Target("linux", python)
        assert target.release == f"{python}.0"
        fixed = stick.pins(ROOT, target, "default")
        assert {"torch", "jupyterlab", "soupsieve"} <= set(fixed)
    assert stick.pins(ROOT, stick.Target("linux", "3.11"), "default")["soupsieve"].startswith("soupsieve==2.")


def test_an_index_out_of_reach_is_said_in_a_sentence_that_says_what_to_do(tmp_path, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        nobody = f"http://localhost:{taken.getsockname()[1]}"  # closed again, so that nothing answers there
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", nobody)
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setattr(setup, "CPU_INDEX", nobody)
    for system, torch, also in (("windows", "cpu", False), ("linux", "default", False), ("linux", "cpu", True)):
        wanted = "torch==1.0+cpu" if torch == "cpu" else "torch==1.0"
        with pytest.raises(Refusal, match="connect to the network and run the same command again") as refused:
            stick.fetch([wanted], stick.Target(system, "3.12"), torch, tmp_path)
        assert ("--torch default" in str(refused.value)) is also


def test_a_package_that_cannot_be_had_is_named(project, index, tmp_path):
    (project / "constraints.txt").write_text("jupyterlab==7.0\n")
    with pytest.raises(Refusal, match=r"windows, Python 3\.12: No matching distribution found for jupyterlab==7\.0"):
        stick.gather(project, stick.Target("windows", "3.12"), "cpu", tmp_path)


def install(folder, goal, **torch):
    """Run a stick's installer with nothing but its manifest; return what it said when it stopped."""
    folder.mkdir()
    (folder / "install.py").write_bytes((ROOT / "tools/stick_install.py").read_bytes())
    pythons = torch.pop("pythons", [PYTHON])
    (folder / "stick.json").write_text(json.dumps({"pythons": pythons, "torch": torch}))
    done = subprocess.run([sys.executable, str(folder / "install.py"), str(goal)], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_the_installer_says_what_is_in_its_way(tmp_path):
    said = install(tmp_path / "other", tmp_path / "goal", plan9="default")
    assert "This stick is for plan9, not for" in said
    assert "site/index.html" in said
    if HERE:
        said = install(tmp_path / "python", tmp_path / "goal", pythons=["3.99"], **{HERE: "cpu"})
        assert "needs Python 3.99" in said
        assert "site/index.html" in said
        (tmp_path / "goal").mkdir()
        (tmp_path / "goal" / "holiday.jpg").write_text("sun")
        assert "holds something else" in install(tmp_path / "full", tmp_path / "goal", **{HERE: "cpu"})
