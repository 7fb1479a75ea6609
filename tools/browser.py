"""A real JupyterLab in a real Chromium, as a student meets it: open a lesson, run it, move what can be moved."""

import base64
import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ElementHandle, Page, sync_playwright
from playwright.sync_api import Error as Failed
from playwright.sync_api import TimeoutError as TookTooLong

from tools import ROOT, deck
from tools.notebooks import clean, execute

SCREENSHOTS = ROOT / "screenshots"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A camera that films a test picture, and whose use is allowed without a question.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
WIDTH, HEIGHT = 1280, 1000
#: Parts of JupyterLab that no lesson meets; each costs time whenever a page is opened (the list of formats to export a
#: notebook to alone a second of the server's).
UNNEEDED = (
    "@jupyterlab/notebook-extension:export",
    "@jupyterlab/notebook-extension:language-server",
    "@jupyterlab/notebook-extension:update-raw-mimetype",
    "@jupyterlab/apputils-extension:announcements",
    "@jupyterlab/debugger-extension",
    "@jupyterlab/extensionmanager-extension",
    "@jupyterlab/lsp-extension",
    "@jupyterlab/terminal-extension",
)

# -- the server and the browser ----------------------------------------------------------------------------------------


def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome, or None to let Playwright take the one it has installed itself.

    Raises FileNotFoundError, with what to do, when there is none at all.
    """
    if chosen := os.environ.get("CHROMIUM"):
        if found := shutil.which(chosen):
            return found
        raise FileNotFoundError(f"CHROMIUM names {chosen}, which is no program: set it to the path of Chromium.")
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if found := shutil.which(name):
            return found
    with sync_playwright() as playwright:
        if Path(playwright.chromium.executable_path).is_file():
            return None
    raise FileNotFoundError(
        "No Chromium was found: install it (on Debian: sudo apt install chromium; elsewhere: "
        ".venv/bin/python -m playwright install chromium) or name one with CHROMIUM=/path/to/chromium."
    )


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser. Raises FileNotFoundError when there is none."""
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def command(main: Callable[[], None]) -> None:
    """Run a command that needs a browser; where there is none it ends with one sentence."""
    try:
        main()
    except FileNotFoundError as error:
        sys.exit(str(error))


@dataclass
class Lab:
    """A running JupyterLab: where it is, the token it asks for, and the folder it shows."""

    url: str
    token: str
    folder: Path

    def address(self, notebook: str) -> str:
        """The address at which a notebook of the folder opens alone, without the file browser."""
        return f"{self.url}/doc/tree/{notebook}?token={self.token}&reset"

    def store(self, name: str, sources: Sequence[str]) -> str:
        """Execute a notebook of these code cells, store it in the folder as a lesson is stored; return its name."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
        execute(notebook, self.folder)
        nbformat.write(clean(notebook), self.folder / name)
        return name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def jupyterlab(home: Path, notebooks: Path | None = None) -> Iterator[Lab]:
    """JupyterLab on a copy of the lessons below `home`: nothing in the tree, and no setting of the user, is touched.

    Raises RuntimeError with the end of the server's log when it does not start.
    """
    folder = home / "notebooks"
    shutil.copytree(notebooks or ROOT / "notebooks", folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    # One lesson draws the stored race, which lies beside the notebooks.
    shutil.copytree(ROOT / "benchmarks" / "results", home / "benchmarks" / "results", dirs_exist_ok=True)
    places = {
        name: str(home / name.lower())
        for name in (
            *("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"),
            *("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"),
        )
    }
    settings = Path(places["JUPYTER_CONFIG_DIR"]) / "labconfig" / "page_config.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps({"buildCheck": False, "disabledExtensions": dict.fromkeys(UNNEEDED, True)}))
    environment = {"OMP_NUM_THREADS": "1"} | os.environ | places
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    # A relative folder means the project's; the kernels run somewhere else.
    if environment.get("CNN_DATA"):
        environment["CNN_DATA"] = str((ROOT / environment["CNN_DATA"]).resolve())
    lab = Lab(f"http://127.0.0.1:{(port := _free_port())}", secrets.token_hex(16), folder)
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--LabApp.expose_app_in_browser=True",
    ]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={lab.token}"]
    log = home / "server.log"
    with log.open("w") as file:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{lab.url}/api/status?token={lab.token}", timeout=5).close()
                break
            if server.poll() is not None:
                break
            time.sleep(0.1)
        else:
            server.terminate()
        if server.poll() is not None:
            raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")
        yield lab
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


# -- one notebook in one page ------------------------------------------------------------------------------------------

#: Helpers inside the page: the notebook, what its outputs show, and a digest of the pixels of a tool.
SCRIPT = """
window.lesson = {
  panel: () => window.jupyterapp.shell.currentWidget,
  cells: () => lesson.panel().content.widgets,
  ready: () => {
    const panel = window.jupyterapp && lesson.panel();
    return !!(panel && panel.content && panel.content.widgets && panel.content.model && panel.isVisible
      && panel.sessionContext.isReady && panel.sessionContext.session && panel.content.widgets.length > 0
      && panel.sessionContext.session.kernel.status === 'idle');
  },
  pictures: box => [...box.querySelectorAll('img, canvas')].filter(e => e.offsetParent !== null),
  sources: box => lesson.pictures(box).map(e => e.src || e.width).join('|'),
  // A tool that is redrawn replaces its picture, perhaps just now: look again then.
  decoded: async image => {
    for (let i = 0; i < 40; i++) {
      try { return await image.decode(); } catch { await new Promise(done => setTimeout(done, 50)); }
    }
    throw new Error('a picture could not be decoded within two seconds');
  },
  pixels: async box => {
    const parts = [];
    for (const e of lesson.pictures(box)) {
      let canvas = e;
      if (e.tagName === 'IMG') {
        await lesson.decoded(e);
        canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [e.naturalWidth, e.naturalHeight];
        canvas.getContext('2d').drawImage(e, 0, 0);
      }
      const bytes = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer;
      const digest = await crypto.subtle.digest('SHA-256', bytes);
      parts.push(canvas.width + 'x' + canvas.height + ':' +
        [...new Uint8Array(digest)].map(b => b.toString(16).padStart(2, '0')).join(''));
    }
    return parts.join(' ');
  },
  // Whether other pixels than before appear within so many milliseconds. A picture is decoded when its address is new.
  changed: async (box, before, seen, ms) => {
    for (const until = performance.now() + ms; performance.now() < until;) {
      const now = lesson.sources(box);
      if (now !== seen || box.querySelector('canvas')) {
        if (await lesson.pixels(box) !== before) return true;
        seen = now;
      }
      await new Promise(done => setTimeout(done, 30));
    }
    return false;
  },
  // Milliseconds from the next event of a kind to the new picture in a box, decoded and ready to be painted.
  latency: (box, kind = 'keydown') => new Promise((done, fail) => {
    let start = 0;
    const giveUp = setTimeout(() => fail(new Error('no new picture within 5 seconds')), 5000);
    document.addEventListener(kind, () => { start = performance.now(); }, {capture: true, once: true});
    const watcher = new MutationObserver(async records => {
      const added = records.flatMap(r => r.type === 'attributes' ? [r.target] : [...r.addedNodes]);
      const image = added.filter(n => n.nodeType === 1).map(n => n.tagName === 'IMG' ? n : n.querySelector('img'))
        .find(n => n && n.src);
      if (!start || !image) return;
      watcher.disconnect();
      clearTimeout(giveUp);
      await image.decode();
      done(performance.now() - start);
    });
    watcher.observe(box, {subtree: true, childList: true, attributes: true, attributeFilter: ['src']});
  }),
  // How many new pictures a box shows, decoded, while it plays for so many milliseconds.
  frames: (box, ms) => new Promise(done => {
    let count = 0;
    const watcher = new MutationObserver(async records => {
      const image = records.map(r => r.target).find(n => n.tagName === 'IMG' && n.src);
      if (image) { try { await image.decode(); count++; } catch { /* replaced before it was decoded */ } }
    });
    watcher.observe(box, {subtree: true, attributes: true, attributeFilter: ['src']});
    setTimeout(() => { watcher.disconnect(); done(count); }, ms);
  }),
  execute: async code => {
    const kernel = lesson.panel().sessionContext.session.kernel;
    const future = kernel.requestExecute({code, silent: false, store_history: false});
    let said = '';
    future.onIOPub = m => {
      if (m.header.msg_type === 'stream') said += m.content.text;
      if (m.header.msg_type === 'error') said += m.content.ename + ': ' + m.content.evalue;
    };
    await future.done;
    return said;
  },
};
"""

#: Finds the living tools, and gives each a class by which its place in the page is found.
FIND_TOOLS = """
import gc as _gc, json as _json
from helpers.explorers.base import Explorer as _Explorer
_found = [o for o in _gc.get_objects() if issubclass(type(o), _Explorer) and hasattr(o, "box")]
for _i, _tool in enumerate(_found):
    _tool.box.add_class(f"found-{_i}")
print(_json.dumps([
    {"place": f".found-{i}", "name": type(t).__name__, "alt": t.alt,
     "controls": list(t._controls), "inert": dict(t.inert)}
    for i, t in enumerate(_found)
]))
del _found, _i, _tool
"""


@dataclass
class Tool:
    """A live tool in a page."""

    name: str
    alt: str
    controls: list[str]
    inert: dict[str, str]
    element: ElementHandle


class Notebook:
    """A notebook open in JupyterLab."""

    def __init__(self, browser: Browser, lab: Lab, name: str, dark: bool = False) -> None:
        self.name = name
        self.page: Page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        self.said: list[str] = []
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.add_init_script(SCRIPT)
        self.page.goto(lab.address(name))
        self.page.wait_for_function("lesson.ready()", timeout=60_000)
        if dark:
            self.page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
            self.page.wait_for_selector("body[data-jp-theme-light='false']", state="attached")

    def turn_to(self, name: str) -> None:
        """End this notebook and open another of the folder in the same page, which spares JupyterLab's start."""
        self.page.evaluate(
            """async name => {
              const old = lesson.panel();
              old.sessionContext.shutdown().catch(() => {});
              old.context.model.dirty = false;
              old.dispose();
              await jupyterapp.commands.execute('docmanager:open', {path: name});
            }""",
            name,
        )
        self.page.wait_for_function(
            "name => lesson.ready() && lesson.panel().context.path === name", arg=name, timeout=60_000
        )
        self.name, self.said[:] = name, []

    def close(self) -> None:
        """Ask the kernel to end, which takes a while and need not be waited for, and close the page."""
        with contextlib.suppress(Exception):
            self.page.evaluate(
                "Promise.race([lesson.panel().sessionContext.shutdown(), new Promise(done => setTimeout(done, 100))])"
            )
        self.page.close()

    def execute(self, code: str) -> str:
        """Run code in the notebook's kernel, outside of its cells; return what it prints."""
        return self.page.evaluate("code => lesson.execute(code)", code)

    def cell(self, index: int) -> ElementHandle:
        """The cell with this index, as an element of the page, in view."""
        for patience in range(20, -1, -1):
            cell = self.page.evaluate_handle("i => lesson.cells()[i].node", index).as_element()
            try:
                cell.scroll_into_view_if_needed()
                break
            except Failed:  # JupyterLab has taken the cell out of the page and puts it back while it is still loading
                if not patience:
                    raise
                self.page.wait_for_timeout(100)
        return cell

    def outputs(self) -> list[list[dict]]:
        """The outputs of every cell, as the notebook would store them now."""
        return self.page.evaluate("lesson.cells().map(c => c.model.type === 'code' ? c.model.outputs.toJSON() : [])")

    def run_all(self) -> None:
        """Run all cells and wait until they are done and the widgets are on the page."""
        self.page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
        self.page.wait_for_function(
            "lesson.cells().every(c => c.model.type !== 'code' || c.model.executionState !== 'running')"
            " && lesson.panel().sessionContext.session.kernel.status === 'idle'",
            timeout=420_000,
        )
        with contextlib.suppress(TookTooLong):
            self.page.wait_for_function(
                "!lesson.panel().content.node.innerText.includes('Loading widget')", timeout=10_000
            )

    def slides(self) -> list[dict]:
        """Every step of every slide on a screen of 1280×720, as the deck shows it: then the page is as before.

        Each has `slide`, `step`, `title`, `share` (of the full size of text), `overflow` (pixels below the screen, at
        most 0 where all can be seen) and `shown` (indices of the cells).
        """
        source = base64.b64encode((ROOT / "tools" / "deck" / "deck.js").read_bytes()).decode()
        self.page.set_viewport_size({"width": 1280, "height": 720})
        found = self.page.evaluate(
            """async ([source, slides]) => {
              const {Deck} = await import('data:text/javascript;base64,' + source);
              const deck = new Deck(window, slides), found = [];
              const painted = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
              for (let last = ''; ; deck.on()) {
                deck.show(deck.slide, deck.step);
                const place = deck.slide + '.' + deck.step;
                if (place === last) break;
                last = place;
                await painted();
                for (const image of deck.notebook.node.querySelectorAll('.deck-on img')) await lesson.decoded(image);
                deck.fit();
                found.push({slide: deck.slide, step: deck.step, title: slides[deck.slide].title, share: deck.share,
                  overflow: deck.overflow, shown: deck.shown});
              }
              deck.close();
              return found;
            }""",
            [source, deck.plan(ROOT / "notebooks" / self.name)],
        )
        self.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        return found

    def save(self) -> None:
        """Save, as Ctrl+S does."""
        self.page.evaluate("jupyterapp.commands.execute('docmanager:save')")

    def complaints(self) -> list[str]:
        """What a reader would take for a failure: tracebacks, warnings, and widgets that are not shown."""
        found = []
        for index, outputs in enumerate(self.outputs()):
            for output in outputs:
                if output["output_type"] == "error":
                    found.append(f"cell {index} raises {output['ename']}: {output['evalue']}")
                elif output.get("name") == "stderr":
                    found.append(f"cell {index} writes to stderr: {''.join(output['text'])[:200]}")
        shown = self.page.evaluate("lesson.panel().content.node.innerText")
        found += re.findall(r"Error displaying widget.*|Loading widget.*|Click to show javascript error.*", shown)
        return found + [f"the page says: {words}" for words in self.said]

    def tools(self) -> list[Tool]:
        """The live tools on the page, from top to bottom."""
        tools = []
        for about in json.loads(self.execute(FIND_TOOLS)):
            place = about.pop("place")
            with contextlib.suppress(TookTooLong):
                element = self.page.wait_for_selector(place, timeout=3000, state="attached")
                tools.append(Tool(element=element, **about))
        return sorted(tools, key=lambda tool: tool.element.evaluate("e => e.getBoundingClientRect().top"))

    def pixels(self, tool: Tool) -> str:
        """A digest of the pictures a tool shows now."""
        return tool.element.evaluate("box => lesson.pixels(box)")

    def sources(self, tool: Tool) -> str:
        """The addresses of the pictures of a tool; every new picture has a new one."""
        return tool.element.evaluate("box => lesson.sources(box)")

    def changes(self, tool: Tool, action: Callable[[], object], patience: float = 5.0) -> bool:
        """Do something and tell whether other pixels appear in the tool before patience runs out."""
        before, seen = self.pixels(tool), self.sources(tool)
        action()
        return tool.element.evaluate("(box, args) => lesson.changed(box, ...args)", [before, seen, 1000 * patience])

    def latency(self, box: ElementHandle, handle: ElementHandle, key: str) -> float:
        """Milliseconds, measured in the page, from a key press on a slider to the new picture in a box, decoded."""
        handle.scroll_into_view_if_needed()
        handle.focus()
        box.evaluate("box => { window.waiting = lesson.latency(box); }")
        handle.press(key)
        taken = self.page.evaluate("window.waiting")
        self.page.wait_for_timeout(60)
        return taken

    def picture(self, element: ElementHandle, label: str) -> Path:
        """A screenshot of one element, in `screenshots/`."""
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{Path(self.name).stem}-{label}.png"
        element.screenshot(path=path)
        return path


def barriers(page: Page, within: str | None = None) -> list[tuple[str, str]]:
    """What axe-core finds serious or critical for users of a screen reader or a keyboard: (rule, start of the HTML)."""
    found = Axe().run(page, context=within, options={"resultTypes": ["violations"]}).response["violations"]
    serious = [rule for rule in found if rule["impact"] in ("serious", "critical")]
    return [(rule["id"], node["html"][:200]) for rule in serious for node in rule["nodes"]]


# -- moving the controls -----------------------------------------------------------------------------------------------


def find_control(tool: Tool, name: str) -> ElementHandle | None:
    """The element of a control, by the name it has in the tool."""
    return tool.element.query_selector(f".control-{name}")


def _usable(element: ElementHandle | None) -> bool:
    return bool(element and element.is_visible() and not element.query_selector(":disabled, [disabled]"))


def moves(control: ElementHandle) -> Iterator[tuple[Callable[[], object], Callable[[], object]]]:
    """Yield (do, undo) pairs: the ways in which a person could move this control, most natural first.

    Raises ValueError for a kind of control that no way is known for: teach it here.
    """
    if handles := control.query_selector_all(".noUi-handle"):
        for handle in handles:
            for there, back in (("ArrowRight", "ArrowLeft"), ("ArrowLeft", "ArrowRight")):
                yield lambda h=handle, k=there: h.press(k), lambda h=handle, k=back: h.press(k)
    elif choice := control.query_selector("select"):
        options = choice.evaluate("e => e.options.length")
        now = choice.evaluate("e => e.selectedIndex")
        for index in sorted(set(range(options)) - {now}, key=lambda i: (i - now) % options)[:4]:
            yield lambda i=index: choice.select_option(index=i), lambda: choice.select_option(index=now)
    elif radios := control.query_selector_all("input[type=radio]"):
        now = next((r for r in radios if r.is_checked()), radios[0])
        for radio in radios:
            if radio != now and not radio.is_checked():
                yield radio.check, now.check
    elif box := control.query_selector("input[type=checkbox]"):
        yield box.click, box.click
    elif field := control.query_selector("input[type=number], input[type=text], input[type=color], textarea"):
        kind, old = field.get_attribute("type"), field.input_value()
        for new in _other_values(kind, old):
            yield lambda v=new: _write(field, v), lambda: _write(field, old)
    elif buttons := control.query_selector_all("button") or _itself(control, "button"):
        now = next((b for b in buttons if "mod-active" in (b.get_attribute("class") or "")), None)
        for button in buttons:
            if button != now or len(buttons) == 1:
                yield button.click, (now or button).click
    else:
        raise ValueError(f"no way to move this control is known: {control.evaluate('e => e.className')}")


def _itself(control: ElementHandle, tag: str) -> list[ElementHandle]:
    return [control] if control.evaluate("e => e.tagName.toLowerCase()") == tag else []


def _other_values(kind: str | None, old: str) -> list[str]:
    if kind == "color":
        return ["#ff0000", "#00ff00"]
    try:
        number = float(old)
    except ValueError:
        return [old[::-1], old + "1"] if old else ["1", "a"]
    step = 1 if number.is_integer() else number / 2 or 1
    return [f"{value:g}" for value in (number + step, number - step, number + 3 * step, number * 2)]


def _write(field: ElementHandle, text: str) -> None:
    field.fill(text)
    if field.get_attribute("type") != "color":
        field.press("Enter")


def move_everything(notebook: Notebook, tool: Tool) -> tuple[list[str], list[str]]:
    """Move each control of a tool and look at its picture; return (what moved it, what is wrong).

    A control counts as wrong when no way of moving it changes the picture, unless the tool lists it, with its reason,
    in `inert`; and when it is listed there and does change it.
    """
    moved, wrong = [], []
    for name in tool.controls:
        control = find_control(tool, name)
        if control is None:
            wrong.append(f"{tool.name}: the control {name!r} is not on the page")
            continue
        if not _usable(control):
            if name not in tool.inert:
                wrong.append(f"{tool.name}: the control {name!r} cannot be used, and `inert` gives no reason")
            continue
        control.scroll_into_view_if_needed()
        patience = 1.0 if name in tool.inert else 5.0
        for do, undo in moves(control):
            if notebook.changes(tool, do, patience):
                moved.append(name)
                before = notebook.sources(tool)
                undo()
                _settle(notebook, tool, before)
                break
            undo()
        said = tool.element.query_selector(".explorer-error")
        if said and said.inner_text().strip():
            wrong.append(f"{tool.name}: after {name!r} was moved it says: {said.inner_text().strip()}")
        if name not in moved and name not in tool.inert:
            wrong.append(f"{tool.name}: moving {name!r} does not change the picture, and `inert` gives no reason")
        if name in moved and name in tool.inert:
            wrong.append(f"{tool.name}: {name!r} is listed in `inert`, but it changes the picture")
    return moved, wrong


def _settle(notebook: Notebook, tool: Tool, before: str) -> None:
    """Wait for the picture that follows an undo, so that it is not taken for the answer to the next move."""
    until = time.monotonic() + 3
    while notebook.sources(tool) == before and time.monotonic() < until:
        notebook.page.wait_for_timeout(20)
    notebook.page.wait_for_timeout(60)
