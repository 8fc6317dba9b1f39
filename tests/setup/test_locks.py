import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.txt", "requirements-dev.txt")


def text_of(lock: str) -> str:
    return (ROOT / lock).read_text(encoding="utf-8")


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", text_of(lock), re.MULTILINE))


def test_the_development_lock_holds_the_runtimes_versions():
    runtime, development = pins(LOCKS[0]), pins(LOCKS[1])

    assert runtime
    assert runtime.items() <= development.items()


def test_each_dependency_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [re.split(r"[\[><=;]", each)[0] for each in project["project"]["dependencies"]]

    assert [name for name in wanted if name not in pins(LOCKS[0])] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_address(lock):
    assert "://" not in text_of(lock)


@pytest.mark.parametrize("lock", LOCKS)
def test_each_pin_has_a_hash(lock):
    blocks = re.split(r"^(?=[a-z0-9])", text_of(lock), flags=re.MULTILINE)

    assert [block for block in blocks if "==" in block and "--hash=sha256:" not in block] == []
