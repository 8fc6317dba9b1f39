import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def found(pattern: str, *paths: str) -> list[str]:
    texts = [(ROOT / path).read_text(encoding="utf-8") for path in paths]
    return sorted({hit for text in texts for hit in re.findall(pattern, text, re.MULTILINE)})


SETTINGS = found(r'env\.(?:text|flag|words|number)\(\s*"(\w+)"', "dashboard/settings.py")
GUNICORN = found(r'environ\.get\("(\w+)"\)', "dashboard/gunicorn.py")
TARGETS = found(r"^([a-z]+):", "Makefile")
COMMANDS = [
    path.stem
    for package in ("batches", "dashboard")
    for path in (ROOT / package).glob("management/commands/*.py")
    if not path.name.startswith("_")
]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]


@pytest.mark.parametrize("name", SETTINGS + GUNICORN)
def test_each_variable_stands_in_the_table_of_settings(name):
    assert f"| `{name}` |" in README


@pytest.mark.parametrize("target", [each for each in TARGETS if each != "help"])
def test_each_make_target_stands_in_the_readme(target):
    assert f"`make {target}`" in README


@pytest.mark.parametrize("command", COMMANDS)
def test_each_management_command_stands_in_the_readme(command):
    assert f"`python manage.py {command}" in README


def test_the_two_commands_come_first():
    fences = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)

    assert [fence.strip() for fence in fences[:2]] == ["make demo", "make test"]


def test_ci_runs_what_the_readme_tells_for_the_tests():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert re.findall(r"^make \w+", script, re.MULTILINE) == ["make check", "make test"]


@pytest.mark.parametrize("document", PAGES, ids=lambda document: document.name)
def test_each_link_to_a_file_leads_somewhere(document):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))

    assert [link for link in links if not (document.parent / link).exists()] == []


def test_each_process_of_the_readme_is_the_procfiles():
    commands = found(r"^(?:web|worker): (.+)$", "Procfile")

    assert [command for command in commands if command not in README] == []
