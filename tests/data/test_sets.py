"""What lessons and instructors rely on in helpers.data: whole files or none, no waiting, arrays that are one's own."""

import contextlib
import errno
import gzip
import hashlib
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from helpers import data, display
from helpers.data import __main__ as command
from helpers.data import download, raw, weights

REAL = os.environ.get("CNN_DATA")  # read before the fixture below hides it
SIZES = {raw.TRAIN_IMAGES: 30, raw.TRAIN_LABELS: 30, raw.TEST_IMAGES: 12, raw.TEST_LABELS: 12}


def idx(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes() + values.astype(np.uint8).tobytes()


def small_set(seed: int) -> dict[str, bytes]:
    random = np.random.default_rng(seed)
    return {
        file: idx(random.integers(0, 256, (n, 28, 28)) if "images" in file else random.integers(0, 10, n))
        for file, n in SIZES.items()
    }


def put(root: Path, folder: str, files: dict[str, bytes]) -> Path:
    place = root / folder / "raw"
    place.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (place / file).write_bytes(content)
    return place


def everything_in(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


class Server(http.server.ThreadingHTTPServer):
    """Serves the small sets packed, as the real servers do, and the network; misbehaves when told to."""

    daemon_threads = True
    behavior = "good"
    pause = 0.05  # seconds between two bytes that drip

    def __init__(self, packed: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.packed, self.asked = packed, []
        self.stopped = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/"


REFUSALS = {"forbidden": 403, "not found": 404, "server error": 500}
PAGE = b"<!doctype html><title>Welcome to the guest network</title><p>Please log in.</p>"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.answer(b"")

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.answer(self.server.packed.get(self.path.lstrip("/"), b""))

    def answer(self, body: bytes) -> None:
        behavior, stopped = self.server.behavior, self.server.stopped
        asked_for_body = self.command == "GET"
        if behavior in REFUSALS:
            self.send_error(REFUSALS[behavior])
            return
        if behavior == "silence":
            stopped.wait(30)
            return
        if behavior == "redirect loop" or (behavior == "portal" and "login" not in self.path):
            self.send_response(302)
            self.send_header("Location", f"{self.server.url}{'login' if behavior == 'portal' else 'again'}")
            self.end_headers()
            return
        if asked_for_body:
            body = {"web page": PAGE, "portal": PAGE, "wrong": body[::-1]}.get(behavior, body)
            body = {"too short": body[:-1], "too long": body + b"\0", "empty": b""}.get(behavior, body)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):  # whoever asked may have given up
            if behavior == "slow drip":
                for byte in body:
                    if stopped.wait(self.server.pause):
                        return
                    self.wfile.write(bytes([byte]))
                return
            if behavior in ("cut short", "falls silent"):
                body = body[: len(body) // 2]
            self.wfile.write(body)
            if behavior == "falls silent" and body:
                self.wfile.flush()
                stopped.wait(30)

    def log_message(self, *arguments: object) -> None:
        pass


FILES = {"mnist": small_set(1), "fashion": small_set(2)}
NETWORK = bytes(range(256)) * 3
PACKED = {(name, file): gzip.compress(content) for name, files in FILES.items() for file, content in files.items()}


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A machine of its own: no network, no CNN_DATA, small published sets, empty data/ and cache."""
    for variable in ("CNN_DATA", "CNN_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(download, "STORE", tmp_path / "data")
    monkeypatch.setattr(download, "_silent_since", {})
    for name, files in FILES.items():
        sums = {file: (len(content), md5(content), md5(PACKED[name, file])) for file, content in files.items()}
        monkeypatch.setitem(raw.SETS, name, raw.RawSet(raw.SETS[name].folder, ("http://127.0.0.1:9/",), sums))
    published = raw.NETWORK._replace(
        urls=("http://127.0.0.1:9/network",), size=len(NETWORK), sha256=hashlib.sha256(NETWORK).hexdigest()
    )
    monkeypatch.setattr(raw, "NETWORK", published)
    return tmp_path


def serve(monkeypatch, *servers: Server) -> None:
    """Name these servers as the mirrors of both sets and of the network."""
    for name in FILES:
        mirrors = tuple(f"{server.url}{name}/" for server in servers)
        monkeypatch.setitem(raw.SETS, name, raw.SETS[name]._replace(mirrors=mirrors))
    urls = tuple(f"{server.url}network" for server in servers)
    monkeypatch.setattr(raw, "NETWORK", raw.NETWORK._replace(urls=urls))


@pytest.fixture
def start():
    """Starts servers on this machine in place of the real ones."""
    running = []

    def one() -> Server:
        packed = {f"{name}/{file}.gz": content for (name, file), content in PACKED.items()}
        running.append(Server({**packed, "network": NETWORK}))
        threading.Thread(target=running[-1].serve_forever, args=(0.02,), daemon=True).start()
        return running[-1]

    yield one
    for server in running:
        server.stopped.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def server(start, monkeypatch):
    one = start()
    serve(monkeypatch, one)
    return one


def stop_midway(monkeypatch, problem: BaseException) -> None:
    """Every download ends with this problem when half of the file is there."""

    def half(self, url: str, output: str, pooch: object, check_only: bool = False) -> None:
        if not check_only:
            Path(output).write_bytes(b"half")
            raise problem

    monkeypatch.setattr(download.pooch.HTTPDownloader, "__call__", half)


ALL_MNIST = {f"MNIST/raw/{file}" for file in SIZES}


# What load returns


@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_cnn_data_comes_first_and_gives_the_documented_arrays(name, home, monkeypatch, capsys):
    put(home / "given", raw.SETS[name].folder, FILES[name])
    monkeypatch.setenv("CNN_DATA", str(home / "given"))
    dataset = data.load(name)
    assert dataset.real
    assert dataset.name == name
    assert len(dataset.classes) == 10
    for part, file in ((dataset.train, raw.TRAIN_IMAGES), (dataset.test, raw.TEST_IMAGES)):
        assert part.images.dtype == np.float32
        assert part.images.shape == (SIZES[file], 1, 28, 28)
        assert part.labels.dtype == np.int64
        assert len(part) == SIZES[file]
    bytes_in_file = np.frombuffer(FILES[name][raw.TEST_IMAGES][16:], np.uint8).reshape(-1, 1, 28, 28)
    np.testing.assert_array_equal(dataset.test.images, bytes_in_file.astype(np.float32) / 255)
    assert dataset.test.images.min() >= 0
    assert dataset.test.images.max() <= 1
    np.testing.assert_array_equal(dataset.train.labels, list(FILES[name][raw.TRAIN_LABELS][8:]))
    assert capsys.readouterr() == ("", "")


def test_the_first_images_alone_are_those_of_the_whole_set(home):
    put(home / "data", "MNIST", FILES["mnist"])
    whole, few = data.load("mnist"), data.load("mnist", first=5)
    for part, beginning in ((whole.train, few.train), (whole.test, few.test)):
        np.testing.assert_array_equal(beginning.images, part.images[:5])
        np.testing.assert_array_equal(beginning.labels, part.labels[:5])
    assert few.real
    assert len(data.load("fashion", first=5).test) == 5  # the stand-in, too
    for name in ("mnist", "fashion"):
        parts = data.load(name, first=(7, 3))
        assert (len(parts.train), len(parts.test)) == (7, 3)
        assert (len(parts.train.images), len(parts.test.images)) == (7, 3)


def test_a_relative_cnn_data_is_also_found_from_the_notebooks_folder(home, monkeypatch):
    put(home / "shared", "MNIST", FILES["mnist"])
    for folder in ("project", "project/notebooks"):
        (home / folder).mkdir()
    monkeypatch.setattr(download, "PROJECT", home / "project")
    monkeypatch.setenv("CNN_DATA", "../shared")
    monkeypatch.chdir(home / "project" / "notebooks")
    assert data.load("mnist").real


def test_arrays_are_fresh_and_may_be_written_into(home, monkeypatch):
    put(home / "data", "MNIST", FILES["mnist"])
    first = data.load("mnist")
    first.train.images[:] = 0.5
    first.train.labels[:] = 7
    second = data.load("mnist")
    assert not (second.train.images == 0.5).all()
    assert not (second.train.labels == 7).all()


def test_source_is_the_same_wherever_the_real_data_came_from(home, monkeypatch):
    put(home / "data", "MNIST", FILES["mnist"])
    from_store = data.load("mnist").source
    put(home / "given", "MNIST", FILES["mnist"])
    monkeypatch.setenv("CNN_DATA", str(home / "given"))
    assert data.load("mnist").source == from_store
    assert str(home) not in from_store


@pytest.mark.parametrize("name", ["cifar", "MNIST", "", None, 3])
def test_another_name_says_which_two_there_are(name):
    with pytest.raises(ValueError, match='"mnist" or "fashion"'):
        data.load(name)


def test_split_takes_parts_as_numpy_does(home):
    part = data.Split(np.random.default_rng(0).random((9, 1, 28, 28), np.float32), np.arange(9))
    assert part[3].labels.tolist() == [3]
    assert part[3].images.shape == (1, 1, 28, 28)
    assert part[-1].labels.tolist() == [8]
    assert part[np.int64(2)].labels.tolist() == [2]
    assert part[2:5].labels.tolist() == [2, 3, 4]
    assert part[[4, 0]].labels.tolist() == [4, 0]
    assert part[part.labels % 2 == 0].labels.tolist() == [0, 2, 4, 6, 8]
    assert [int(one.labels[0]) for one in part] == list(range(9))
    with pytest.raises(IndexError, match="no image 9"):
        part[9]
    first, rest = part.split(4)
    assert (len(first), len(rest)) == (4, 5)
    assert np.shares_memory(first.images, part.images)
    assert np.shares_memory(rest.images, part.images)
    assert [len(half) for half in part.split(0)] == [0, 9]
    assert [len(half) for half in part.split(9)] == [9, 0]
    with pytest.raises(ValueError, match="between 0 and 9"):
        part.split(10)
    with pytest.raises(ValueError, match="between 0 and 9"):
        part.split(-1)
    with pytest.raises(ValueError, match="one label per image"):
        data.Split(part.images, part.labels[:5])


def test_torch_shares_memory_and_does_not_warn(home):
    put(home / "data", "MNIST", FILES["mnist"])
    arrays = data.load("mnist")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensors = arrays.torch()
        backwards = arrays.train[::-1].torch()
        frozen = arrays.test.images.copy()
        frozen.flags.writeable = False
        data.Split(frozen, arrays.test.labels).torch()
    tensors.train.images[0, 0, 0, 0] = 0.25
    assert arrays.train.images[0, 0, 0, 0] == 0.25
    assert str(tensors.train.images.dtype) == "torch.float32"
    assert str(tensors.test.labels.dtype) == "torch.int64"
    assert backwards.labels.tolist() == arrays.train.labels[::-1].tolist()
    assert (tensors.classes, tensors.source, tensors.real) == (arrays.classes, arrays.source, arrays.real)
    assert tensors.torch().train.images.data_ptr() == tensors.train.images.data_ptr()
    assert tensors.train[[1, 2]].labels.tolist() == arrays.train.labels[[1, 2]].tolist()


def test_a_split_is_shown_without_its_numbers(home):
    put(home / "data", "MNIST", FILES["mnist"])
    mnist = data.load("mnist")
    assert repr(mnist.train) == "Split(30 images 1×28×28)"
    assert repr(mnist).startswith("mnist: 30 training and 12 test images")
    assert repr(mnist.torch().train) == repr(mnist.train)


def test_lessons_with_numpy_only_do_not_import_torch():
    script = (
        "import sys; from helpers import data; mnist = data.load('mnist'); data.load('fashion');"
        "data.photo('china'); assert not mnist.real; assert 'torch' not in sys.modules; assert len(mnist.train)"
    )
    environment = {**os.environ, "CNN_OFFLINE": "1", "XDG_CACHE_HOME": os.devnull, "TMPDIR": tempfile.gettempdir()}
    script = f"from helpers.data import download; from pathlib import Path; download.STORE = Path('none'); {script}"
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# Broken files


def damage(folder: Path, kind: str) -> Path:
    path = folder / raw.TRAIN_IMAGES
    content = path.read_bytes()
    if kind == "truncated":
        path.write_bytes(content[:-1000])
    elif kind == "one bit":
        path.write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
    elif kind == "too long":
        path.write_bytes(content + b"\0")
    else:
        path.write_bytes(b"")
    return path


@pytest.mark.parametrize("kind", ["truncated", "one bit", "too long", "empty"])
def test_a_broken_file_in_data_is_replaced_by_a_download(kind, home, server, capsys):
    path = damage(put(home / "data", "MNIST", FILES["mnist"]), kind)
    mnist = data.load("mnist")
    assert mnist.real
    assert path.read_bytes() == FILES["mnist"][raw.TRAIN_IMAGES]
    assert "failed the size and checksum test and will be downloaded again" in capsys.readouterr().err
    asked = len(server.asked)
    data.load("mnist")
    assert len(server.asked) == asked  # mended for good
    assert "failed" not in capsys.readouterr().err


def test_a_broken_file_without_a_network_is_neither_believed_nor_lost(home):
    path = damage(put(home / "data", "MNIST", FILES["mnist"]), "truncated")
    before = path.read_bytes()
    assert not data.load("mnist").real
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", ["truncated", "one bit", "empty"])
def test_a_broken_file_in_cnn_data_is_named_and_left_alone(kind, home, monkeypatch, capsys):
    path = damage(put(home / "given", "MNIST", FILES["mnist"]), kind)
    before = path.read_bytes()
    put(home / "data", "MNIST", FILES["mnist"])
    monkeypatch.setenv("CNN_DATA", str(home / "given"))
    assert data.load("mnist").real
    assert path.read_bytes() == before
    shown = capsys.readouterr().err
    assert path.name in shown
    assert str(home / "given") in shown


def test_a_missing_file_is_not_taken_for_a_set(home, monkeypatch, capsys):
    (put(home / "given", "MNIST", FILES["mnist"]) / raw.TEST_LABELS).unlink()
    monkeypatch.setenv("CNN_DATA", str(home / "given"))
    assert not data.load("mnist").real
    assert f"holds no MNIST/raw/{raw.TEST_LABELS}" in capsys.readouterr().err


def test_cnn_data_that_is_no_folder_or_lacks_the_set_is_passed_over_in_words(home, monkeypatch, capsys):
    put(home / "data", "FashionMNIST", FILES["fashion"])
    monkeypatch.setenv("CNN_DATA", str(home / "nowhere"))
    assert data.load("fashion").real
    assert "which is not a folder" in capsys.readouterr().err
    put(home / "given", "MNIST", FILES["mnist"])
    monkeypatch.setenv("CNN_DATA", str(home / "given"))
    assert data.load("fashion").real
    assert "holds no FashionMNIST/raw" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"\0\0\x08", b"\0\0\x0d\x01" + bytes(8), idx(np.arange(5))[:-1], b"<html>no"])
def test_what_is_no_idx_file_is_refused(content):
    with pytest.raises(ValueError, match="IDX"):
        raw.parse(content)


def test_idx_of_any_number_of_axes_is_read_back():
    for shape in ((4,), (2, 3), (2, 3, 5)):
        values = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
        np.testing.assert_array_equal(raw.parse(idx(values)), values)


# Downloading


def test_download_puts_whole_files_and_nothing_else(home, server):
    assert data.load("mnist").real
    assert everything_in(home / "data") == ALL_MNIST
    assert not list((home / "data").glob(".*"))
    for file, content in FILES["mnist"].items():
        assert (home / "data" / "MNIST" / "raw" / file).read_bytes() == content


KINDS = ["mnist", "fashion", "network"]
FOLDERS = {"mnist": "MNIST/raw", "fashion": "FashionMNIST/raw", "network": "photonet"}
WHOLE = {
    **{name: {f"{FOLDERS[name]}/{file}": content for file, content in files.items()} for name, files in FILES.items()},
    "network": {raw.NETWORK.path: NETWORK},
}


def ask_for(kind: str) -> bool:
    """Ask for a set or the network as a lesson does; tell whether the real one came."""
    return weights.squeezenet() is not None if kind == "network" else data.load(kind).real


MISBEHAVES = {
    "forbidden": "the server answered 403 Forbidden",
    "not found": "the server answered 404 Not Found",
    "server error": "the server answered 500 Internal Server Error",
    "cut short": "the connection broke off",
    "too short": "what came is not the published file",
    "too long": "what came is not the published file",
    "empty": "what came is not the published file",
    "wrong": "what came is not the published file",
    "web page": "a web page came instead of the file (does this network ask you to log in?",
    "portal": "a web page came instead of the file (does this network ask you to log in?",
    "redirect loop": "the server sends one in circles",
    "slow drip": "the server sent next to nothing for 0.4 seconds",
    "falls silent": "the server sent next to nothing for 0.4 seconds",
    "silence": "No network: no data server answers within 0.4 seconds",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("behavior", "words"), MISBEHAVES.items(), ids=MISBEHAVES)
def test_a_server_that_misbehaves_is_not_believed_and_leaves_nothing(
    behavior, words, kind, home, server, monkeypatch, capsys
):
    server.behavior = behavior
    begun = time.monotonic()
    with monkeypatch.context() as patience:
        if words.endswith("0.4 seconds"):
            patience.setattr(download, "SILENCE_SECONDS", 0.4)
            patience.setattr(download, "PROBE_SECONDS", 0.4 if behavior == "silence" else 3)
        assert not ask_for(kind)
    assert time.monotonic() - begun < 15
    assert everything_in(home) == set()
    assert not list((home / "data").rglob(".partial-*"))
    shown = capsys.readouterr().err
    said = next(line for line in shown.splitlines() if words in line)
    assert "make data" in shown
    if behavior != "silence":
        assert re.search(r"The download of [\w.-]+ failed after \d+ seconds: ", said)
        assert said.count(words) == 1
    server.behavior = "good"
    download._silent_since.clear()  # half a minute later
    assert ask_for(kind)
    assert {name: (home / "data" / name).read_bytes() for name in everything_in(home / "data")} == WHOLE[kind]
    assert "NOT THE" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_interruption_leaves_nothing_behind(kind, home, server, monkeypatch):
    stop_midway(monkeypatch, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        ask_for(kind)
    assert everything_in(home / "data") == set()


def test_only_the_files_that_are_missing_are_downloaded(home, server):
    (put(home / "data", "MNIST", FILES["mnist"]) / raw.TEST_LABELS).unlink()
    assert data.load("mnist").real
    assert server.asked == [f"/mnist/{raw.TEST_LABELS}.gz"]


@pytest.mark.parametrize("behavior", ["forbidden", "wrong", "cut short", "gone"])
def test_when_one_server_does_not_deliver_the_next_one_does(behavior, home, start, monkeypatch):
    bad, good = start(), start()
    bad.behavior = behavior
    if behavior == "gone":
        bad.server_close()
    serve(monkeypatch, bad, good)
    assert data.load("mnist").real
    assert everything_in(home / "data") == ALL_MNIST


def test_any_one_file_can_be_fetched_and_is_checked(home, server):
    content, path = PACKED["mnist", raw.TEST_LABELS], home / "networks" / "small.net"
    server.packed = {"small.net": content}
    url, known = f"{server.url}small.net", f"sha256:{hashlib.sha256(content).hexdigest()}"
    with pytest.raises(ConnectionError, match="what came is not the published file"):
        download.fetch([url], known[:-1] + ("0" if known[-1] != "0" else "1"), path)
    assert not path.exists()
    download.fetch([url], known, path)
    assert path.read_bytes() == content
    assert path.stat().st_mode & 0o444 == 0o444  # whoever shares the folder can read it
    assert everything_in(home / "networks") == {"small.net"}


def test_a_download_shows_a_bar_and_no_other_word(home, server, capfd):
    data.load("mnist")
    out, shown = capfd.readouterr()
    assert out == ""
    assert raw.TRAIN_IMAGES in shown
    assert "100%" in shown
    assert "Downloading" not in shown


def test_what_a_killed_download_left_is_swept_up_later_but_a_running_one_is_not(home, server):
    folder = home / "data" / "MNIST" / "raw"
    for name, age in ((".partial-old", 7200), (".partial-running", 60)):
        (folder / name).mkdir(parents=True)
        (folder / name / "half").write_bytes(b"half")
        os.utime(folder / name, (time.time() - age,) * 2)
    assert data.load("mnist").real
    assert [path.name for path in folder.glob(".partial-*")] == [".partial-running"]


ELSEWHERE = """
import json, sys
from pathlib import Path
from helpers import data
from helpers.data import download, raw, weights
told = json.loads(sys.argv[1])
download.STORE = Path(told["store"])
for name, published in told["sets"].items():
    raw.SETS[name] = raw.RawSet(*published)
raw.NETWORK = raw.RawFile(*told["network"])
ask = {"mnist": lambda: data.load("mnist").real, "fashion": lambda: data.load("fashion").real,
       "network": lambda: weights.squeezenet() is not None}
"""


def elsewhere(home: Path, script: str) -> subprocess.Popen:
    """Another process that finds the same servers and the same data/ as this one, and can `ask` for each kind."""
    told = {"store": str(home / "data"), "sets": {name: raw.SETS[name] for name in FILES}, "network": raw.NETWORK}
    command = [sys.executable, "-c", ELSEWHERE + script, json.dumps(told)]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def test_two_processes_that_download_at_once_both_get_whole_data(home, server):
    # Nobody deletes what the other is about to read: a new place each round, where the two wait for each other.
    script = """
import os, time
for round in range(4):
    download.STORE = Path(told["store"]) / str(round)
    here = Path(told["store"]).with_name("here") / str(round)
    here.mkdir(parents=True, exist_ok=True)
    (here / str(os.getpid())).touch()
    until = time.monotonic() + 30
    while len(list(here.iterdir())) < 2:
        assert time.monotonic() < until, "the other has ended"
        time.sleep(0.001)
    assert all(asked() for asked in ask.values())
"""
    both = [elsewhere(home, script) for _ in range(2)]
    for process in both:
        _, problem = process.communicate(timeout=120)
        assert process.returncode == 0, problem.decode()
    whole = {f"{n}/{path}": content for n in range(4) for files in WHOLE.values() for path, content in files.items()}
    assert {path: (home / "data" / path).read_bytes() for path in everything_in(home / "data")} == whole
    assert not everything_in(home / "cache")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
@pytest.mark.parametrize("kind", KINDS)
def test_a_process_that_is_killed_leaves_no_file_that_is_believed(kind, home, server):
    server.behavior = "falls silent"
    process = elsewhere(home, f"ask[{kind!r}]()")
    try:
        deadline = time.monotonic() + 60
        while not any(".partial-" in path for path in everything_in(home / "data")) and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        process.kill()
        process.communicate()
    left = everything_in(home / "data")
    assert left
    assert all(".partial-" in path for path in left)
    server.behavior = "good"
    assert ask_for(kind)
    assert {path: (home / "data" / path).read_bytes() for path in everything_in(home / "data") - left} == WHOLE[kind]


def test_offline_variable_skips_the_attempt(home, server, monkeypatch, capsys):
    monkeypatch.setenv("CNN_OFFLINE", "1")
    assert not data.load("mnist").real
    assert server.asked == []
    assert "CNN_OFFLINE is set" in capsys.readouterr().err
    monkeypatch.setenv("CNN_OFFLINE", "0")
    assert data.load("mnist").real


def test_a_network_that_swallows_everything_does_not_hold_up_the_class(home, monkeypatch):
    monkeypatch.setattr(download.pooch.HTTPDownloader, "__call__", lambda *_, **__: time.sleep(60))  # as DNS can
    begun = time.monotonic()
    urls = ["http://one.example/", "http://two.example/"]
    assert download.first_to_answer(urls, seconds=0.2) is None
    assert download.first_to_answer(urls, seconds=30) is None  # remembered
    assert time.monotonic() - begun < 2
    assert download.PROBE_SECONDS <= 3


def test_the_first_server_to_answer_is_told_from_a_closed_door(server):
    closed = "http://127.0.0.1:9/"
    assert download.first_to_answer([closed, server.url]) == server.url
    server.behavior = "forbidden"
    assert download.first_to_answer([server.url]) == server.url
    assert download.first_to_answer([closed]) is None


# The network for photographs


def put_network(root: Path, content: bytes = NETWORK) -> Path:
    path = root / raw.NETWORK.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_network_is_taken_from_cnn_data_then_from_data_then_downloaded(home, server, monkeypatch):
    found = download.find_network()
    assert found.root == home / "data"
    assert found.notes == []
    assert server.asked == ["/network"]
    (content,) = found.arrays.values()
    assert content.tobytes() == NETWORK
    assert everything_in(home / "data") == {raw.NETWORK.path}
    assert download.find_network().root == home / "data"
    put_network(home / "given")
    monkeypatch.setenv("CNN_DATA", str(home / "given"))
    assert download.find_network().root == home / "given"
    assert server.asked == ["/network"]


@pytest.mark.parametrize("content", [b"", NETWORK[:-1], NETWORK + b"\0", NETWORK[::-1]], ids=lambda c: str(len(c)))
def test_a_foreign_file_is_neither_believed_nor_lost_until_the_published_one_is_here(content, home, monkeypatch):
    path = put_network(home / "data", content)
    given = put_network(home / "given", content)
    monkeypatch.setenv("CNN_DATA", str(home / "given"))
    arrays, root, notes = download.find_network()
    assert arrays is None
    assert root is None
    assert path.read_bytes() == given.read_bytes() == content
    first, second, third = notes
    assert "passed over (and left as it is)" in first
    assert "will be downloaded again" in second
    assert "No network" in third


def test_a_foreign_file_in_data_is_replaced_by_the_published_one(home, server):
    path = put_network(home / "data", NETWORK[::-1])
    assert download.find_network().arrays is not None
    assert path.read_bytes() == NETWORK


# Folders that cannot be written


def test_where_data_cannot_be_written_the_cache_is_used_and_named(home, server, monkeypatch, capsys):
    (home / "a file").write_text("")
    monkeypatch.setattr(download, "STORE", home / "a file" / "data")
    assert data.load("mnist").real
    shown = capsys.readouterr().err
    assert "cannot be written" in shown
    assert str(home / "cache") in shown
    asked = len(server.asked)
    assert data.load("mnist").real
    assert len(server.asked) == asked
    assert "cannot be written" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_a_read_only_data_folder_is_no_obstacle(kind, home, server, monkeypatch, capsys):
    """To root every folder is writable, so the system's refusal is played."""
    make = Path.mkdir

    def refused(self: Path, *arguments: object, **options: object) -> None:
        if self.is_relative_to(home / "data"):
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        make(self, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", refused)
    assert ask_for(kind)
    shown = capsys.readouterr().err
    assert f"{home / 'data'} cannot be written (Permission denied)" in shown
    assert f"The files are kept in {download.stores()[1]} instead" in shown
    assert everything_in(home / "data") == set()
    asked = len(server.asked)
    assert ask_for(kind)
    assert len(server.asked) == asked


def test_who_has_no_home_folder_gets_no_folder_called_tilde(home, monkeypatch):
    for variable in ("XDG_CACHE_HOME", "HOME", "USERPROFILE", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os.path, "expanduser", str)  # as where the user is not listed
    monkeypatch.setattr(download.pooch, "os_cache", lambda own: Path(f"~/.cache/{own}"))
    assert download.stores() == [home / "data", home / "temporary" / "convolutional-networks-by-eye"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("when", ["while a file arrives", "while it is unpacked or moved"])
def test_a_full_disk_is_said_and_leaves_nothing(when, kind, home, server, monkeypatch, capsys):
    full = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as disk:
        if when == "while a file arrives":
            stop_midway(disk, full)
        else:
            disk.setattr(download.os, "replace", lambda *_: (_ for _ in ()).throw(full))
        assert not ask_for(kind)
    shown = capsys.readouterr().err
    for folder in download.stores():
        assert f"{folder} cannot be written (No space left on device): free 130 MB there" in shown
    assert everything_in(home) == set()
    assert ask_for(kind)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root mounts a small disk, on Linux")
def test_a_disk_that_is_really_full(home, server, monkeypatch, capsys):
    disk = home / "data"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this system lets nobody mount a disk")
    try:
        assert data.load("mnist").real
        shown = capsys.readouterr().err
        assert f"{disk} cannot be written (No space left on device): free 130 MB there" in shown
        assert f"The files are kept in {download.stores()[1]} instead" in shown
        assert not [path for path in everything_in(disk) if ".partial-" in path]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("chosen", ["closed/folder", "~/closed"])
def test_a_cnn_data_that_may_not_be_looked_into_is_passed_over_in_words(chosen, home, server, monkeypatch, capsys):
    """Where the system refuses to look, or knows no home folder."""
    monkeypatch.setenv("CNN_DATA", chosen)

    looks = Path.is_dir

    def refused(self: Path, **options: object) -> bool:
        if "closed" in self.parts:
            raise PermissionError(errno.EACCES, "Permission denied")
        return looks(self, **options)

    def homeless(self: Path) -> Path:
        if str(self).startswith("~"):
            raise RuntimeError("Could not determine home directory.")
        return self

    with monkeypatch.context() as closed:
        closed.setattr(Path, "expanduser", homeless)
        closed.setattr(Path, "is_dir", refused)
        assert data.load("mnist").real
    assert f"CNN_DATA names {chosen}, which is not a folder, so it is passed over" in capsys.readouterr().err


# The notice, the command


def test_the_notice_says_what_why_and_what_to_do_on_every_call(home, capsys):
    for _ in range(2):
        data.load("mnist")
        out, shown = capsys.readouterr()
        assert out == ""
        assert shown.count("NOT THE REAL DATA") == 1
        for words in ("No network: no data server answer", "8×8", "accuracies", "`make data`"):
            assert words in shown


def test_what_stands_in_is_said_below_all_that_follows_once(home):
    assert display.captions() == ""
    for name in ("mnist", "fashion", "mnist"):
        data.load(name)
    assert display.captions().count("true of the real data") == 1
    assert weights.squeezenet() is None
    assert display.captions().count("true of the trained one") == 1


def test_real_data_need_no_caption(home):
    put(home / "data", "MNIST", FILES["mnist"])
    data.load("mnist")
    assert display.captions() == ""


def test_in_a_notebook_the_notice_is_one_displayed_block():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    source = "from pathlib import Path\nfrom helpers import data\nfrom helpers.data import download\n"
    source += "download.STORE = Path('none')\n"
    source += "download.stores = lambda: []\nmnist = data.load('mnist')"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    client = nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3")
    client.execute(env={**os.environ, "CNN_OFFLINE": "1"})
    (shown,) = notebook.cells[0].outputs
    assert shown.output_type == "display_data"
    assert set(shown.data) == {"text/html", "text/plain"}
    assert "NOT THE REAL DATA" in shown.data["text/html"]
    assert "make data" in shown.data["text/html"]


def test_the_command_tells_where_the_sets_are_and_lets_make_go_on_without_them(home, monkeypatch, capsys):
    put(home / "data", "MNIST", FILES["mnist"])
    monkeypatch.setattr(sys, "argv", ["data"])
    assert command.main() == 0
    mnist, fashion, network = capsys.readouterr().out.splitlines()
    assert mnist == f"MNIST: {home / 'data' / 'MNIST' / 'raw'}"
    assert "NOT HERE" in fashion
    assert "No network" in fashion
    assert network.startswith("SqueezeNet: NOT HERE. No network")
    monkeypatch.setattr(sys, "argv", ["data", "--strict"])
    assert command.main() == 1
    put(home / "data", "FashionMNIST", FILES["fashion"])
    assert command.main() == 1
    path = put_network(home / "data")
    assert command.main() == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"SqueezeNet: {path}"


# The real thing, where it is at hand


@pytest.mark.skipif(not REAL, reason="CNN_DATA is not set")
@pytest.mark.parametrize(
    ("name", "labels", "test_label", "mean"),
    [
        ("mnist", [5, 0, 4, 1, 9, 2, 1, 3, 1, 4], (22, 6), 0.1307),
        ("fashion", [9, 0, 0, 3, 0, 2, 7, 2, 5, 5], (0, 9), 0.2860),
    ],
)
def test_the_real_data_is_what_torchvision_reads(name, labels, test_label, mean, monkeypatch):
    from torchvision import datasets

    monkeypatch.undo()
    dataset = data.load(name)
    assert dataset.real
    assert (len(dataset.train), len(dataset.test)) == (60_000, 10_000)
    assert dataset.train.labels[:10].tolist() == labels
    assert dataset.test.labels[test_label[0]] == test_label[1]
    assert dataset.train.images.mean(dtype=np.float64) == pytest.approx(mean, abs=5e-5)
    root = download.find(name).root
    theirs = getattr(datasets, raw.SETS[name].folder)(root, train=False)
    np.testing.assert_array_equal(dataset.test.images[:, 0], (theirs.data.float() / 255).numpy())
    np.testing.assert_array_equal(dataset.test.labels, theirs.targets.numpy())
    assert list(dataset.classes) == [title.split(" - ")[0] for title in theirs.classes]


@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_the_archives_are_those_of_torchvision(name, monkeypatch):
    from torchvision import datasets

    monkeypatch.undo()
    theirs = getattr(datasets, raw.SETS[name].folder)
    assert {f"{file}.gz": packed for file, (_, _, packed) in raw.SETS[name].files.items()} == dict(theirs.resources)
    assert raw.SETS[name].mirrors[0] == theirs.mirrors[0]


def test_the_readme_lists_the_checksums_the_code_uses(monkeypatch):
    monkeypatch.undo()
    readme = (download.PROJECT / "data" / "README.md").read_text(encoding="utf-8")
    for files in raw.SETS.values():
        for file, (size, checksum, _) in files.files.items():
            assert f"| `{files.folder}/raw/{file}` | {size:,} | `{checksum}` |" in readme
    assert f"| `{raw.NETWORK.path}` | {raw.NETWORK.size:,} | `{raw.NETWORK.sha256}` |" in readme
    assert "fb13faa" in readme
    assert all("fb13faa" in url for url in raw.NETWORK.urls)


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (None, None, "two arrays or tensors"),
        ([1], [2], "two arrays or tensors"),
        ("ab", "cd", "two arrays or tensors"),
        (np.arange(4), np.zeros((4, 1, 2, 2)), "Images come first"),
        (np.zeros((4, 1, 2, 2)), np.eye(4), "Images come first"),
    ],
)
def test_what_is_no_split(images, labels, words):
    with pytest.raises((TypeError, ValueError), match=words):
        data.Split(images, labels)


@pytest.mark.parametrize("index", ["a", 1.5, None, (0, 1)])
def test_what_is_no_part_of_a_split(index):
    with pytest.raises(TypeError, match="Take a number, a slice"):
        data.Split(np.zeros((4, 1, 2, 2)), np.arange(4))[index]


@pytest.mark.parametrize("n", [1.5, "a", None, -1, 5])
def test_what_is_no_place_to_cut(n):
    with pytest.raises(ValueError, match="Cut at a whole number between 0 and 4"):
        data.Split(np.zeros((4, 1, 2, 2)), np.arange(4)).split(n)


@pytest.mark.parametrize("first", [-1, "a", 1.5, (1, 2, 3), (1, -1)])
def test_what_is_no_number_of_images(first):
    with pytest.raises(ValueError, match="first is a number of images"):
        data.load("mnist", first=first)
