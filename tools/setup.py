"""Build .venv, or say in one sentence what to do instead.

Run by the Makefile with whatever Python the machine has, so this file imports the standard library only (not even
`tools`) and uses syntax that Python 2.7 and 3.6 can read: a Python that is too old must get as far as the sentence that
says so. `--settings` only copies Jupyter's settings into the running environment (postBuild does that on Binder).
`--wheels` installs from a folder, without a network (`make stick` writes one).

The stamp `.venv/setup.json` holds a fingerprint of everything the environment is made from. When it matches, there is
nothing to do; when an installation was interrupted it holds none, and the next call takes the installation up again.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Files of this project and where Jupyter reads them, below the folder of an environment.
SETTINGS = {
    "jupyter/overrides.json": "share/jupyter/lab/settings/overrides.json",
    "jupyter/server.json": "etc/jupyter/jupyter_config.json",
    "jupyter/kernel.json": "etc/ipython/ipython_kernel_config.json",
    "jupyter/controls.json": "share/jupyter/labextensions/by-eye-controls/package.json",
    "jupyter/controls.js": "share/jupyter/labextensions/by-eye-controls/static/controls.js",
}
INPUTS = ("pyproject.toml", "constraints.txt", "tools/setup.py") + tuple(sorted(SETTINGS))  # noqa: RUF005
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# Free space to ask for: on Linux the environment takes 6.3 GB, of which 4.6 GB serve NVIDIA cards only, and pip needs
# room of its own while it installs.
GIGABYTES = {"default": 8, "cpu": 3}
NETWORK_SIGNS = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "Read timed out",
    "ProxyError",
    "Max retries exceeded",
    "Temporary failure in name resolution",
    "Network is unreachable",
    "Connection refused",
    "connection broken",
)
VERSIONS = ("pinned", "newest")
DISK_SIGNS = ("No space left on device", "Errno 28", "Disk quota exceeded")


class Stop(Exception):
    """A reason not to go on, told in one sentence that says what to do."""


def say(line):
    """Print a line at once, before the long wait that it announces."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def fingerprint(root, torch, versions="pinned"):
    """Return the hexadecimal digest of everything the environment depends on, its place included."""
    digest = hashlib.sha256(repr((torch, versions, os.path.realpath(root))).encode("utf-8"))
    for name in INPUTS:
        with open(os.path.join(root, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def read_stamp(venv):
    """Return what the last call left behind: torch, versions and made_from (a fingerprint or None), or {}."""
    try:
        with open(os.path.join(venv, "setup.json")) as file:
            stamp = json.load(file)
        return stamp if isinstance(stamp, dict) else {}
    except (IOError, OSError, ValueError):
        return {}


def write_stamp(venv, torch, versions, made_from):
    """Record both choices, and the fingerprint once the installation is complete."""
    path = os.path.join(venv, "setup.json")
    with open(path + ".part", "w") as file:
        json.dump({"torch": torch, "versions": versions, "made_from": made_from}, file)
    os.replace(path + ".part", path)


def check_python():
    """Stop if this Python cannot build the environment."""
    if sys.version_info < OLDEST:
        raise Stop(
            "Python %d.%d is too old: install Python %d.%d or newer, or name one with PYTHON=/path/to/python3."
            % (sys.version_info[0], sys.version_info[1], OLDEST[0], OLDEST[1])
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        missing = True
    else:
        missing = False
    if missing:
        raise Stop(
            "This Python has no venv module: install it (on Debian and Ubuntu: "
            "sudo apt install python%d.%d-venv) and run the same command again." % tuple(sys.version_info[:2])
        )


def check_disk(folder, torch):
    """Stop before an installation that cannot fit."""
    needed = GIGABYTES["cpu" if torch == "cpu" or sys.platform != "linux" else "default"]
    free = shutil.disk_usage(folder).free / 1e9
    if free < needed:
        hint = (
            ""
            if needed == GIGABYTES["cpu"]
            else ", or without an NVIDIA card add TORCH=cpu, which needs %d GB" % (GIGABYTES["cpu"])
        )
        raise Stop(
            "The disk has %.1f GB free and the installation needs about %d GB: free some space%s."
            % (free, needed, hint)
        )


def explain(errors, log):
    """Turn the error output of a failed command into one sentence that says what to do."""
    if any(sign in errors for sign in DISK_SIGNS):
        return "The disk filled up during the installation: free some space and run the same command again."
    if any(sign in errors for sign in NETWORK_SIGNS):
        return (
            "The package index cannot be reached: connect to the network and run the same command again; "
            "it continues where it stopped."
        )
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    lines = [line for line in lines if "error" in line.lower()] or lines or ["no reason given"]
    return "The installation failed (%s): see %s, then run the same command again." % (lines[-1].rstrip("."), log)


def run(command, log):
    """Run a command with its progress visible and its errors kept for `explain`."""
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
    try:
        errors = process.communicate()[1].decode("utf-8", "replace")
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if process.returncode:
        try:
            with open(log, "w") as file:
                file.write(errors)
        except OSError:
            pass  # a full disk has no room for the log either, and the sentence does not need it
        raise Stop(explain(errors, os.path.relpath(log, ROOT)))


def answers(python, code):
    """Tell whether that Python exists and runs that code."""
    try:
        return subprocess.call([python, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def copy_settings(root, prefix):
    """Give the Jupyter of an environment our settings: no news, pictures kept on saving, which cell makes a name."""
    for name, place in SETTINGS.items():
        os.makedirs(os.path.dirname(os.path.join(prefix, place)), exist_ok=True)
        shutil.copyfile(os.path.join(root, name), os.path.join(prefix, place))


def setup(root, torch, versions="", wheels=""):
    """Bring .venv up to date.

    `torch` is "cpu" or "default", `versions` "pinned" or "newest"; "" keeps what was chosen before. `wheels` is a
    folder to install from without a network; then what only the tests need is left out.
    """
    venv = os.path.join(root, ".venv")
    python = os.path.join(venv, "Scripts/python.exe" if os.name == "nt" else "bin/python")
    log = os.path.join(venv, "setup.log")
    stamp = read_stamp(venv)
    torch = torch or stamp.get("torch") or "default"
    if torch not in GIGABYTES:
        raise Stop("TORCH=%s is not known: use TORCH=cpu or TORCH=default." % torch)
    versions = versions or stamp.get("versions") or VERSIONS[0]
    if versions not in VERSIONS:
        raise Stop("VERSIONS=%s is not known: use VERSIONS=pinned or VERSIONS=newest." % versions)
    wanted = fingerprint(root, torch, versions)
    if stamp.get("made_from") == wanted and answers(python, ""):
        return
    check_python()
    check_disk(root, torch)
    usable = answers(python, "import pip, sys; sys.exit(sys.version_info < %r)" % (OLDEST,))
    if not usable or stamp.get("torch", torch) != torch:
        # Starting over is the one way from one build of torch to the other that leaves nothing of the first behind.
        say("Creating .venv with Python %d.%d." % sys.version_info[:2])
        run([sys.executable, "-m", "venv", "--clear", venv], log)
    write_stamp(venv, torch, versions, None)
    say("Installing the packages into .venv: a few minutes the first time.")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    install += ["-c", "constraints.txt"] if versions == "pinned" else ["--upgrade", "--upgrade-strategy", "eager"]
    if sys.stdout.isatty():
        install.remove("--quiet")
    if wheels:
        # One version of everything lies there, and pip's own settings may name an index that cannot be reached.
        install = [python, "-m", "pip", "--isolated", "install", "--quiet", "--disable-pip-version-check"]
        install += ["--no-index", "--find-links", os.path.abspath(wheels), "-e", "."]
    elif torch == "cpu":
        install += ["--extra-index-url", CPU_INDEX, "-e", ".[test]"]
    else:
        install += ["-e", ".[test]"]
    run(install, log)
    copy_settings(root, venv)
    write_stamp(venv, torch, versions, wanted)


def main():
    """Read the command line; answer every foreseen failure with a sentence and exit status 1."""
    parser = argparse.ArgumentParser(description="Build .venv for the lessons.")
    parser.add_argument("--torch", default="", help="cpu, default, or nothing to keep the earlier choice")
    parser.add_argument("--versions", default="", help="pinned, newest, or nothing to keep the earlier choice")
    parser.add_argument("--wheels", default="", help="install from this folder, without a network")
    parser.add_argument("--settings", action="store_true", help="only copy Jupyter's settings into this environment")
    options = parser.parse_args()
    try:
        if options.settings:
            copy_settings(ROOT, sys.prefix)
        else:
            setup(ROOT, options.torch, options.versions, options.wheels)
    except Stop as stop:
        sys.exit(str(stop))
    except OSError as error:
        if error.errno == 28:
            sys.exit(explain("Errno 28", ""))
        sys.exit(
            "The environment cannot be written (%s): make this folder writable and run the same command again." % error
        )
    except KeyboardInterrupt:
        sys.exit("Interrupted: run the same command again and it continues where it stopped.")


if __name__ == "__main__":
    main()
