import pytest

SLOW = ("processes", "setup", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the slow files first, so that no process of pytest-xdist runs one alone at the end."""
    items.sort(key=lambda item: item.path.parent.name not in SLOW)
