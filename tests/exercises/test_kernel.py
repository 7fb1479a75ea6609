"""The same in a real Jupyter kernel: lines of cells are quoted, endless loops end, the stop button works."""

import time

import pytest
from jupyter_client.manager import start_new_kernel

from tools import ROOT


@pytest.fixture(scope="module")
def kernel():
    """A function that runs a cell and returns what it shows; called with ``interrupt``, it presses the stop button."""
    manager, client = start_new_kernel(cwd=str(ROOT))

    def run(source, interrupt=0.0):
        shown = []

        def collect(message):
            content = message["content"]
            shown.append(content.get("text") or content.get("data", {}).get("text/plain") or content.get("ename") or "")

        message = client.execute(source)
        if interrupt:
            time.sleep(interrupt)
            manager.interrupt_kernel()
        while True:
            reply = client.get_iopub_msg(timeout=60)
            if reply["parent_header"].get("msg_id") != message:
                continue
            if reply["msg_type"] == "status" and reply["content"]["execution_state"] == "idle":
                return "".join(shown)
            if reply["msg_type"] in ("stream", "execute_result", "display_data", "error"):
                collect(reply)

    run("from helpers.exercises import check, judge, tally\njudge.LIMIT = 1.0")
    yield run
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_cells_line_is_quoted(kernel):
    said = kernel('def pencil(image):\n\n    return imge * 2\n\ncheck("start_here/pencil", pencil)')
    assert "Your code stopped in line 3, `return imge * 2`: NameError: name 'imge' is not defined" in said


def test_an_endless_loop_ends(kernel):
    said = kernel('def pencil(image):\n    while True:\n        pass\n\ncheck("start_here/pencil", pencil)')
    assert "still running after 1 seconds" in said
    assert kernel("1 + 1") == "2"


def test_the_stop_button_works(kernel):
    kernel("judge.LIMIT = 60.0")
    start = time.monotonic()
    said = kernel('check("start_here/pencil", pencil)', interrupt=1.0)
    kernel("judge.LIMIT = 1.0")
    assert "KeyboardInterrupt" in said
    assert time.monotonic() - start < 30
