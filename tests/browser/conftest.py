"""The order of the browser tests: lessons first, shared by the workers, so that nobody is alone with one in the end."""

import os

from tools.nbval_real_data import LONGEST


def pytest_collection_modifyitems(items):
    """Each worker begins with an equal part of the list: let each part begin with lessons, the longest first."""
    parts = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    lessons = [item for item in items if item.name.startswith("test_lesson[")]
    lessons.sort(key=lambda item: next((i for i, name in enumerate(LONGEST) if item.name.endswith(f"_{name}]")), 99))
    others = [item for item in items if item not in lessons]
    ends = [i * len(others) // parts for i in range(parts + 1)]
    items[:] = [item for i in range(parts) for item in (*lessons[i::parts], *others[ends[i] : ends[i + 1]])]
