"""What set-up says when it cannot go on, and that it does nothing when there is nothing to do."""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile

import pytest

from tools import ROOT


@pytest.fixture
def project(tmp_path):
    """A copy of what set-up reads, in a folder with a space in its name."""
    copy = tmp_path / "a project"
    read = ("pyproject.toml", "constraints.txt", "tools/setup.py", "Makefile")
    for name in (*read, *(f"jupyter/{path.name}" for path in (ROOT / "jupyter").iterdir())):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ROOT / name).read_bytes())
    return copy


def set_up(project, before="", torch="", arguments=(), **environment):
    """Run tools/setup.py with something prepared in its interpreter; return its exit status and what it said."""
    code = (
        f"import runpy, sys\n{before}\nsys.argv = {['setup.py', '--torch', torch, *arguments]}\n"
        "runpy.run_path('tools/setup.py', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, env={**os.environ, **environment}
    )
    return done.returncode, done.stderr.strip()


def one_sentence(said):
    """Tell whether this is one sentence on one line."""
    return "\n" not in said and said.endswith(".") and "Traceback" not in said


def test_setup_can_be_read_by_old_pythons():
    """Python 3.6 by its grammar; Python 2 by what it has not: it is what `python` still means on some machines."""
    tree = ast.parse((ROOT / "tools/setup.py").read_text(encoding="ascii"), feature_version=(3, 6))
    for node in ast.walk(tree):
        assert not isinstance(node, ast.JoinedStr | ast.AnnAssign | ast.Nonlocal | ast.Starred), f"line {node.lineno}"
        assert not (isinstance(node, ast.Raise) and node.cause), f"line {node.lineno}"
        assert getattr(getattr(node, "func", None), "id", "") != "print", f"line {node.lineno}"


@pytest.mark.parametrize(
    ("before", "torch", "words"),
    [
        ("sys.version_info = (3, 8, 1)", "", ("Python 3.8 is too old", "3.11", "PYTHON=")),
        ("sys.modules['ensurepip'] = None", "", ("no venv module", "apt install python3", "-venv")),
        ("sys.modules['venv'] = None", "", ("no venv module",)),
        (
            "import shutil\nshutil.disk_usage = lambda _: shutil._ntuple_diskusage(9, 8, 1)",
            "",
            ("0.0 GB free", "free some space"),
        ),
        ("", "rocm", ("TORCH=rocm", "TORCH=cpu")),
    ],
)
def test_setup_says_in_one_sentence_what_to_do(project, before, torch, words):
    status, said = set_up(project, before, torch)
    assert status == 1
    assert one_sentence(said), said
    for word in words:
        assert word in said
    assert not (project / ".venv").exists()


def test_setup_without_a_network_says_so_and_goes_on_later(project):
    offline = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_RETRIES": "1",
        "PIP_NO_INDEX": "",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
    }
    plenty = "import shutil\nshutil.disk_usage = lambda _: shutil._ntuple_diskusage(9e12, 0, 9e12)"
    for _ in range(2):
        status, said = set_up(project, plenty, **offline)
        assert status == 1
        assert one_sentence(said), said
        assert "cannot be reached" in said
        assert "run the same command again" in said
        assert json.loads((project / ".venv/setup.json").read_text())["made_from"] is None


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "The disk filled up",
        ),
        ("WARNING: Retrying after connection broken by 'NewConnectionError'\nERROR: No matching", "cannot be reached"),
        (
            "note\nERROR: No matching distribution found for torch\nsome tail",
            "No matching distribution found for torch",
        ),
        ("", "no reason given"),
    ],
)
def test_a_failed_installation_is_explained(errors, words):
    spec = importlib.util.spec_from_file_location("setup_script", ROOT / "tools/setup.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    said = script.explain(errors, ".venv/setup.log")
    assert words in said
    assert one_sentence(said)


def test_setup_that_is_up_to_date_does_nothing(project):
    """The stamp decides; a changed input or another torch asks for an installation again."""
    code = "import setup, sys; print(setup.fingerprint(sys.argv[1], sys.argv[2]))"

    def made_from(torch="default"):
        command = [sys.executable, "-c", code, str(project), torch]
        return subprocess.run(command, cwd=project / "tools", capture_output=True, text=True, check=True).stdout.strip()

    (project / ".venv/bin").mkdir(parents=True)
    (project / ".venv/bin/python").symlink_to(sys.executable)
    (project / ".venv/setup.json").write_text(json.dumps({"torch": "default", "made_from": made_from()}))
    broke = "import shutil\nshutil.disk_usage = lambda _: shutil._ntuple_diskusage(9, 8, 1)"
    assert set_up(project, broke) == (0, "")
    assert made_from("cpu") != made_from()
    assert set_up(project, broke, torch="cpu")[0] == 1
    (project / "constraints.txt").write_text("numpy==2.4.6\n")
    assert set_up(project, broke)[0] == 1


def test_make_says_when_there_is_no_python(project):
    done = subprocess.run(["make", "setup", "PYTHON=/no/python"], cwd=project, capture_output=True, text=True)
    assert done.returncode == 2
    assert "No Python was found at /no/python: install Python 3.11 or newer" in done.stderr


def test_make_passes_an_old_python_on_to_the_sentence(project, tmp_path):
    old = tmp_path / "old python"
    old.write_text(f'#!/bin/sh\ncase "$2" in *version_info*) exit 1;; esac\nexec \'{sys.executable}\' "$@"\n')
    old.chmod(0o755)
    setup = project / "tools/setup.py"
    setup.write_text(setup.read_text().replace("OLDEST = (3, 11)", "OLDEST = (3, 99)"))
    done = subprocess.run(["make", "setup", f"PYTHON={old}"], cwd=project, capture_output=True, text=True)
    assert "is too old: install Python 3.99 or newer" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_exact_versions_also_fit_the_cpu_build_of_torch(tmp_path):
    """On PyTorch's own index the versions carry a local part, `+cpu`: the constraints accept it, and pip prefers it."""
    pin = re.search(r"^torch==(\S+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)[1]
    for version in (pin, f"{pin}+cpu", "99.0", "99.0+cpu"):
        with zipfile.ZipFile(tmp_path / f"torch-{version}-py3-none-any.whl", "w") as wheel:
            info = f"torch-{version}.dist-info"
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
    command = [sys.executable, "-m", "pip", "--isolated", "install", "--dry-run", "--no-index", "--ignore-installed"]
    command += ["--find-links", str(tmp_path), "-c", str(ROOT / "constraints.txt"), "torch"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"Would install torch-{pin}+cpu" in said


def test_the_cpu_build_comes_from_the_index_of_pytorch(project, monkeypatch):
    """TORCH=cpu adds one index, is remembered, and starts the environment over when another build is there."""
    spec = importlib.util.spec_from_file_location("setup_script", project / "tools/setup.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    commands = []
    venv = project / ".venv"
    venv.mkdir()
    monkeypatch.setattr(script, "run", lambda command, log: commands.append(" ".join(command)))
    monkeypatch.setattr(script, "answers", lambda python, code: True)
    monkeypatch.setattr(script, "check_disk", lambda folder, torch: None)
    index = "--extra-index-url https://download.pytorch.org/whl/cpu"

    def calls(torch):
        commands.clear()
        script.setup(str(project), torch)
        return ["starts over" if "-m venv --clear" in command else index in command for command in commands]

    assert calls("") == [False]
    assert calls("") == []
    assert calls("cpu") == ["starts over", True]
    assert calls("") == []
    assert calls("default") == ["starts over", False]
    settings = json.loads((venv / "share/jupyter/lab/settings/overrides.json").read_text())
    hook = json.loads((venv / "etc/jupyter/jupyter_config.json").read_text())
    assert hook["ContentsManager"]["pre_save_hook"] == "helpers.saving.keep_pictures"
    assert settings["@jupyterlab/apputils-extension:notification"] == {"fetchNews": "false", "checkForUpdates": False}


def test_the_newest_versions_are_installed_without_constraints(project, monkeypatch):
    """VERSIONS=newest is remembered until VERSIONS=pinned; an unknown word is answered with a sentence."""
    spec = importlib.util.spec_from_file_location("setup_script", project / "tools/setup.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    commands = []
    (project / ".venv").mkdir()
    monkeypatch.setattr(script, "run", lambda command, log: commands.append(" ".join(command)))
    monkeypatch.setattr(script, "answers", lambda python, code: True)
    monkeypatch.setattr(script, "check_disk", lambda folder, torch: None)

    def calls(versions):
        commands.clear()
        script.setup(str(project), "", versions)
        return ["-c constraints.txt" in command for command in commands]

    assert calls("") == [True]
    assert calls("newest") == [False]
    assert "--upgrade" in commands[0]
    assert calls("") == []
    assert calls("pinned") == [True]
    with pytest.raises(script.Stop, match="VERSIONS=latest is not known: use VERSIONS=pinned or VERSIONS=newest"):
        script.setup(str(project), "", "latest")


def test_binder_gets_the_settings_that_setup_copies(project):
    """postBuild names no file of its own: one table in tools/setup.py says which settings go where."""
    status, said = set_up(project, f"sys.prefix = {str(project / 'binder')!r}", arguments=["--settings"])
    assert (status, said) == (0, "")
    for name, place in {
        "overrides.json": "share/jupyter/lab/settings/overrides.json",
        "server.json": "etc/jupyter/jupyter_config.json",
        "kernel.json": "etc/ipython/ipython_kernel_config.json",
        "controls.json": "share/jupyter/labextensions/by-eye-controls/package.json",
        "controls.js": "share/jupyter/labextensions/by-eye-controls/static/controls.js",
    }.items():
        assert (project / "binder" / place).read_bytes() == (ROOT / "jupyter" / name).read_bytes()
    assert not (project / ".venv").exists()
    assert (ROOT / "postBuild").read_text().splitlines()[-1] == "python tools/setup.py --settings"
