"""The order of the browser tests: lessons first, shared by two workers, so that nobody is alone with one in the end."""

from tools.nbval_real_data import LONGEST


def pytest_collection_modifyitems(items):
    """Each worker takes half of the tests: let both halves begin with lessons, the longest first."""
    lessons = [item for item in items if item.name.startswith("test_lesson[")]
    lessons.sort(key=lambda item: next((i for i, name in enumerate(LONGEST) if item.name.endswith(f"_{name}]")), 99))
    others = [item for item in items if item not in lessons]
    half = len(others) // 2
    items[:] = [*lessons[::2], *others[:half], *lessons[1::2], *others[half:]]
