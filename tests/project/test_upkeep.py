"""What those who carry on rely on: the guide's own code runs, workflows call what exists, versions agree."""

import re
import subprocess
import textwrap
import tomllib
import types
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import yaml

from tools import ROOT, pages, versions

GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = [
    textwrap.dedent(block) for block in re.findall(r"^ +```python\n(.*?)^ +```$", GUIDE, re.DOTALL | re.MULTILINE)
]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
#: What a workflow may change beside its own run.
WRITES = {"newest": {"issues"}, "pages": {"pages", "id-token"}}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def load(name):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def targets(text):
    """The targets that `make` is asked for in a text, in prose only between backquotes."""
    commands = re.findall(r"(?:^|`|&& )make((?: [a-z-]+\b(?!=))+)", text, re.MULTILINE)
    return {target for command in commands for target in command.split()}


# The guide -----------------------------------------------------------------------------------------------------------


def test_the_tool_of_the_guide_works():
    module = types.ModuleType("blur")
    exec(BLOCKS[0], module.__dict__)
    tool = module.Blur(width=1)
    sharp = np.asarray(tool.picture.get_array())
    tool.set(width=15)
    blurred = np.asarray(tool.picture.get_array())
    assert blurred.shape == (186, 186)
    assert blurred[0, 0] == pytest.approx(sharp[:15, :15].mean(), abs=1e-5)
    assert tool.title.get_text() == "mean of 15×15 pixels"


def test_the_exercise_of_the_guide_judges(monkeypatch):
    from helpers.exercises import core

    module = types.ModuleType("box")
    exec(BLOCKS[1], module.__dict__)
    monkeypatch.setattr(core, "lesson", lambda name: module.LESSON)
    key = "edge_filters/box-filter"
    assert core.check(key, lambda size: np.full((size, size), 1 / size**2)).status == "right"
    assert core.check(key, lambda size: [[1 / size / size] * size] * size).status == "right"
    assert "do not average" in core.check(key, lambda size: np.ones((size, size))).message
    assert "width times width" in core.check(key, lambda size: np.ones((size, size)) / size).message
    assert "add up to 1" in core.check(key, lambda size: np.eye(size) / size).message


def test_the_guide_names_files_that_exist():
    named = set(re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", GUIDE))
    named = {
        name
        for name in named
        if not re.search(r"NN_|[/_](name|blur)\.|^screenshots/|^checkpoints/|^(lessons|project)/", name)
    }
    assert len(named) > 12
    missing = sorted(name for name in named if not (ROOT / name).exists())
    assert not missing


def test_the_guide_names_rules_and_tests_that_exist():
    from tests.lessons import test_notebooks as contract

    rules = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"\*Speaks up:.*?\*", GUIDE, re.DOTALL))))
    rules = {name for name in rules if not name.startswith("test_")}
    assert rules <= {rule.__name__ for rule in contract.RULES}
    for name in re.findall(r"`(test_\w+)`", GUIDE):
        assert hasattr(contract, name), f"the guide names {name}"


@pytest.mark.parametrize(
    "name", ["CONTRIBUTING.md", "README.md", "data/README.md", ".github/pull_request_template.md", ".ci/run"]
)
def test_targets_of_make_exist(name):
    assert targets((ROOT / name).read_text(encoding="utf-8")) <= TARGETS


# Workflows and forms -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_what_exists(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        granted = {right for right, kind in job.get("permissions", {}).items() if kind == "write"}
        assert granted <= WRITES.get(path.stem, set()), f"{name} may write more than it needs"
        assert job["timeout-minutes"] <= 360, name
        commands = "\n".join(step["run"] for step in job["steps"] if "run" in step)
        assert targets(commands) <= TARGETS
        for tool in re.findall(r"-m (tools\.\w+)", commands):
            assert (ROOT / f"{tool.replace('.', '/')}.py").is_file(), tool


def test_slow_and_new_run_on_a_schedule():
    assert [path.stem for path in WORKFLOWS] == ["ci", "newest", "nightly", "pages"]
    nightly, newest = load(".github/workflows/nightly.yml"), load(".github/workflows/newest.yml")
    for workflow in (nightly, newest):
        (entry,) = workflow[True]["schedule"]  # YAML reads the key `on` as true
        assert len(entry["cron"].split()) == 5
    assert any(step.get("run") == "make nightly" for step in nightly["jobs"]["thorough"]["steps"])
    assert newest["env"]["VERSIONS"] == "newest"


def test_the_pages_are_built_by_make_and_published_from_main_alone():
    workflow = load(".github/workflows/pages.yml")
    assert workflow[True] == {"push": {"branches": ["main"]}, "workflow_dispatch": None}
    build, publish = workflow["jobs"]["build"]["steps"], workflow["jobs"]["publish"]
    assert [step["run"] for step in build if "run" in step] == ["make data", "make site"]
    assert build[-1]["uses"].startswith("actions/upload-pages-artifact@v")
    assert (ROOT / build[-1]["with"]["path"]) == pages.SITE
    assert publish["needs"] == "build"
    assert publish["if"].startswith("github.ref == 'refs/heads/main' && (")
    assert publish["permissions"] == {"pages": "write", "id-token": "write"}
    (step,) = publish["steps"]
    assert step["uses"].startswith("actions/deploy-pages@v")
    assert step["id"] in publish["environment"]["url"]


def test_dependabot_watches_packages_and_actions():
    updates = load(".github/dependabot.yml")["updates"]
    assert {update["package-ecosystem"] for update in updates} == {"pip", "github-actions"}


def test_pre_commit_runs_make_lint():
    (repository,) = load(".pre-commit-config.yaml")["repos"]
    (hook,) = repository["hooks"]
    assert (repository["repo"], hook["entry"], hook["pass_filenames"]) == ("local", "make lint", False)


def test_there_is_a_form_for_each_kind_of_report():
    assert [form.stem for form in FORMS] == ["bug", "taught", "untrue_sentence"]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_an_issue_form_is_one_that_github_reads(form):
    content = yaml.safe_load(form.read_text(encoding="utf-8"))
    assert set(content) == {"name", "description", "labels", "body"}
    assert any(field.get("validations", {}).get("required") for field in content["body"])
    identifiers = [field["id"] for field in content["body"]]
    assert len(identifiers) == len(set(identifiers))
    for field in content["body"]:
        assert field["type"] in {"input", "textarea", "dropdown", "checkboxes"}
        assert field["attributes"]["label"]
        assert ("options" in field["attributes"]) == (field["type"] == "dropdown")


# Versions ------------------------------------------------------------------------------------------------------------


def test_the_citation_agrees_with_the_project():
    """The fields that CFF 1.2.0 demands, and the version and license of pyproject.toml."""
    citation = load("CITATION.cff")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["cff-version"] == "1.2.0"
    assert citation["message"]
    assert citation["title"] == "Convolutional networks, by eye"
    assert citation["authors"] == [{"name": "The authors of Convolutional networks by eye"}]
    assert citation["type"] in {"software", "dataset"}
    assert (str(citation["version"]), citation["license"]) == (project["version"], project["license"])


def test_the_changelog_has_the_version_of_the_project():
    version = load("CITATION.cff")["version"]
    titles = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert titles[0].startswith(("Unreleased", f"{version}"))
    assert any(title.startswith(f"{version}") for title in titles)


def test_a_package_in_another_version_is_listed(capsys, monkeypatch):
    pins = versions.pinned()
    assert pins["numpy"]
    monkeypatch.setattr(metadata, "version", {"numpy": "99.1", "torch": f"{pins['torch']}+cpu"}.__getitem__)
    chosen = {name: pins[name] for name in ("numpy", "torch")}
    assert versions.differing(chosen) == [("numpy", pins["numpy"], "99.1")]
    monkeypatch.setattr(versions, "pinned", lambda: chosen)
    monkeypatch.setattr("sys.argv", ["versions"])
    versions.main()
    assert f"| numpy | {pins['numpy']} | 99.1 |" in capsys.readouterr().out


LOG = """\
tests/a.py ..F
E   AttributeError: module 'numpy' has no attribute 'bool8'
\x1b[31mFAILED tests/a.py::test_one - AttributeError: module 'numpy' has no attribute 'bool8'\x1b[0m
ERROR notebooks/02_edge_filters.ipynb::Cell 3 - NbCellError
E   a line with ``` in it
= 1 failed, 1,200 passed, 1 error in 61.2s =
make: *** [Makefile:58: test] Error 1
"""


def test_a_run_that_fails_is_reported_so_that_somebody_can_act(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(versions, "differing", lambda pins: [("numpy", "2.4.6", "3.0.0")])
    log = tmp_path / "test.log"
    log.write_text(LOG, encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["versions", "report", str(log), "--run", "https://example.org/7"])
    versions.main()
    said = capsys.readouterr().out
    assert said.startswith("**2 tests fail on the newest versions.** The whole run: https://example.org/7")
    for words in (
        "FAILED tests/a.py::test_one - AttributeError: module 'numpy' has no attribute 'bool8'\n",
        "ERROR notebooks/02_edge_filters.ipynb::Cell 3",
        "| numpy | 2.4.6 | 3.0.0 |",
        "make test VERSIONS=newest",
        "make constraints",
    ):
        assert words in said
    assert said.count("```") == 2
    assert "\x1b" not in said
    assert targets(said) <= TARGETS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "could not be installed, or the run stopped before the first test"),
        ("collecting ...\nmake: *** [Makefile:58: test] Killed", "stopped before its end"),
        ("= 1,200 passed in 61.2s =", "Everything passes"),
    ],
)
def test_a_run_without_a_failed_test_says_what_happened(text, words, tmp_path):
    log = tmp_path / "test.log"
    if text is not None:
        log.write_text(text, encoding="utf-8")
    assert words in versions.report(log)


def test_a_log_of_any_length_fits_into_an_issue(tmp_path):
    log = tmp_path / "test.log"
    log.write_text("".join(f"FAILED tests/a.py::test_{i} - {'x' * 1000}\n" for i in range(5000)), encoding="utf-8")
    assert len(versions.report(log)) < 40_000


def test_the_report_is_one_issue_that_is_brought_up_to_date_and_closed():
    steps = {
        step["name"]: step for step in load(".github/workflows/newest.yml")["jobs"]["newest"]["steps"] if "name" in step
    }
    issue, closing = steps["one issue, new or brought up to date"], steps["close the issue of an earlier run"]
    assert issue["if"] == "failure()"
    assert (
        issue["run"].index("gh issue list")
        < issue["run"].index("gh issue edit")
        < issue["run"].index("gh issue create")
    )
    assert closing["if"] == "success()"
    assert "gh issue close" in closing["run"]


def test_constraints_are_written_anew_by_one_command_or_left_as_they_were(tmp_path, monkeypatch):
    """With a uv that is played: what it adds arrives, what it refuses changes nothing."""
    place = tmp_path / "constraints.txt"
    place.write_text("# head\nnumpy==2.0\n", encoding="utf-8")
    monkeypatch.setattr(versions, "CONSTRAINTS", place)
    asked = []

    def played(command, **_):
        asked.append(command)
        if "compile" in command:
            made = Path(command[command.index("-o") + 1])
            assert "numpy==2." in made.read_text(encoding="utf-8")
            made.write_text("# by uv\nnumpy==2.1\n", encoding="utf-8")

    monkeypatch.setattr(versions.subprocess, "run", played)
    versions.renew(["numpy"])
    assert place.read_text(encoding="utf-8") == versions.HEAD + "numpy==2.1\n"
    assert "--upgrade-package=numpy" in asked[-1]
    versions.renew([])
    assert "--upgrade" in asked[-1]

    def refused(command, **_):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(versions.subprocess, "run", refused)
    monkeypatch.setattr("sys.argv", ["versions", "renew"])
    with pytest.raises(SystemExit, match="as before"):
        versions.main()
    assert place.read_text(encoding="utf-8") == versions.HEAD + "numpy==2.1\n"
    assert (ROOT / "constraints.txt").read_text(encoding="utf-8").startswith(versions.HEAD)
