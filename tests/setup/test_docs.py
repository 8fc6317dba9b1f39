"""What the documentation names exists: files, links, commands, settings, URLs, CSV columns."""

import ast
import csv
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import get_commands, load_command_class
from django.test import Client
from django.urls import resolve

from batches.worker.kinds import NAMES
from dashboard.batch.downloads import HEADER as DOWNLOAD_HEADER
from dashboard.spend.focus import FOCUS_COLUMNS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXPORTS = ROOT / "docs" / "exports.md"
DEPLOYMENT = ROOT / "docs" / "deployment.md"
# Folders of a machine or a container, and paths of the API.
ELSEWHERE = ("/data", "/path/to/", "/run/secrets/", "/tmp", "/v1")
# Folders that Batchboard and its tools write to.
WRITTEN = ("var", ".venv")
WITH_A_PATH = {"ANTHROPIC_API_KEY_FILE", "BATCHBOARD_PRICES_FILE"}
SQLITES_WORDS = {"locking protocol"}


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def found(pattern: str, path: str) -> list[str]:
    return sorted(set(re.findall(pattern, text_of(ROOT / path), re.MULTILINE)))


SETTINGS = found(r'env\.(?:text|flag|words|number)\(\s*"(\w+)"', "dashboard/settings.py")
GUNICORN = found(r'environ\.get\("(\w+)"\)', "dashboard/gunicorn.py")
TARGETS = found(r"^([a-z][a-z-]+):", "Makefile")
COMMANDS = [
    path.stem
    for package in ("batches", "dashboard")
    for path in (ROOT / package).glob("management/commands/*.py")
    if not path.name.startswith("_")
]

# Not "page", which is a fixture of Playwright's.
each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)).removesuffix(".md")
)


def without_fences(document: Path) -> str:
    return re.sub(r"^```.*?^```$", "", text_of(document), flags=re.DOTALL | re.MULTILINE)


def fences(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(document), re.DOTALL | re.MULTILINE)


def code(document: Path) -> list[str]:
    """The document's inline code, without line breaks."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", without_fences(document))]


def commands_on(document: Path) -> list[str]:
    """Each line of a fence in shell or YAML, and each piece of inline code."""
    shell = [*fences(document, "sh"), *fences(document, "yaml")]
    lines = [line.split(" #")[0] for fence in shell for line in fence.splitlines()]
    return [*code(document), *lines]


def section(document: Path, heading: str) -> str:
    """The text under a heading, up to the next one of any level."""
    _, _, rest = text_of(document).partition(f"# {heading}\n")
    assert rest, f"{document.name} has no heading {heading!r}"
    return re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def first_column(table: str) -> list[str]:
    """The inline code in the first column of a Markdown table's rows."""
    cells = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def anchors(document: Path) -> set[str]:
    """Of the document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", without_fences(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def links(document: Path) -> list[str]:
    """Relative targets of links and images, in Markdown and in HTML."""
    text = without_fences(document)
    targets = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
    return [target for target in targets if not re.match(r"https?:", target)]


@pytest.fixture
def superuser(db: None) -> Client:
    browser = Client()
    root = User.objects.create_superuser("root", password="correct horse 9")
    browser.force_login(root, backend="dashboard.roles.RoleBackend")
    return browser


@pytest.mark.parametrize("name", SETTINGS + GUNICORN)
def test_the_table_of_settings_has_each_variable(name):
    assert f"| `{name}` |" in README


@pytest.mark.parametrize("target", [each for each in TARGETS if each not in {"help", "setup-dev"}])
def test_the_readme_has_each_make_target(target):
    assert f"`make {target}`" in README


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_has_each_management_command(command):
    assert f"`python manage.py {command}" in README


def test_the_two_commands_come_first():
    first, second = fences(ROOT / "README.md", "sh")[:2]

    assert first.strip() == "make demo"
    assert re.fullmatch(r"ANTHROPIC_API_KEY=\S+ make run", second.strip())


def test_ci_runs_what_the_documentation_says():
    script = text_of(ROOT / ".ci" / "run")

    assert re.findall(r"^make \w+", script, re.MULTILINE) == ["make check", "make test"]


def test_each_process_of_the_procfile_is_in_the_chapter_on_deployment():
    processes = section(DEPLOYMENT, "Processes")

    commands = found(r"^(?:web|worker): (.+)$", "Procfile")

    assert [command for command in commands if command not in processes] == []


def test_each_kind_of_work_is_in_the_chapter_on_deployment():
    table = section(DEPLOYMENT, "Processes")

    assert first_column(table) == list(NAMES)


@each_document
def test_each_relative_link_leads_somewhere(document):
    broken = []
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = (document.parent / path) if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


@each_document
def test_each_file_that_is_named_exists(document):
    top = {path.name for path in ROOT.iterdir()}.difference(WRITTEN)
    named = [
        span
        for span in code(document)
        if re.fullmatch(r"[\w.-]+/[\w./-]*", span) and span.split("/")[0] in top
    ]

    assert [name for name in named if not (ROOT / name).exists()] == []


@each_document
def test_each_module_that_is_named_exists(document):
    named = [
        span
        for span in code(document)
        if re.fullmatch(r"(?:batches|dashboard|tests)(?:\.\w+)+", span)
        and not span.endswith(".csv")
    ]

    assert [name for name in named if not is_importable(name)] == []


def is_importable(name: str) -> bool:
    """Whether it is a module, or something in one."""
    try:
        import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return hasattr(import_module(module), attribute)
    return True


@each_document
def test_each_make_command_exists(document):
    named = {
        target
        for line in commands_on(document)
        for target in re.findall(r"(?:^|[A-Z]=\S+ )make ([a-z-]+)", line)
    }

    assert named - set(TARGETS) == set()


@each_document
def test_each_management_command_exists_with_its_options(document):
    wrong = []
    for line in commands_on(document):
        for name, rest in re.findall(r"manage\.py ([a-z_]+)([^&|]*)", line):
            options = re.findall(r"(--[a-z-]+)", rest)
            if name not in get_commands() or set(options) - options_of(name):
                wrong.append(line)

    assert wrong == []


def options_of(command: str) -> set[str]:
    app = get_commands()[command]
    loaded = load_command_class(app, command) if isinstance(app, str) else app
    return set(loaded.create_parser("manage.py", command)._option_string_actions)


@each_document
def test_each_variable_that_is_named_is_a_setting(document):
    named = set(re.findall(r"\b(?:ANTHROPIC|BATCHBOARD)_[A-Z_]+\b", text_of(document)))

    assert named - {*SETTINGS, *GUNICORN, *WITH_A_PATH} == set()


@each_document
def test_each_url_that_is_named_resolves(document):
    named = [span for span in code(document) if re.match(r"/[a-z]", span)]

    for url in [span for span in named if not span.startswith(ELSEWHERE)]:
        assert resolve(url.partition("?")[0].replace("<id>", "msgbatch_1"))


def test_the_metrics_that_are_named_are_the_real_ones(superuser):
    table = section(DEPLOYMENT, "Metrics")

    scraped = superuser.get("/metrics").text

    real = re.findall(r"^# TYPE (\w+)", scraped, re.MULTILINE)
    assert sorted(name for name in first_column(table) if "/" not in name) == sorted(real)


CSVS = {
    "/batches.csv": "The list: `/batches.csv`",
    "/spend.csv?table=groups": "`/spend.csv?table=groups`",
    "/spend.csv?table=days": "`/spend.csv?table=days`",
    "/spend.csv?table=batches": "`/spend.csv?table=batches`",
    "/audit.csv": "The audit: `/audit.csv`",
}


@pytest.mark.parametrize("address", CSVS)
def test_the_columns_of_each_csv_are_the_documented_ones(superuser, address):
    documented = first_column(section(EXPORTS, CSVS[address]))

    lines = superuser.get(address).getvalue().decode("utf-8-sig").splitlines()

    assert next(csv.reader(lines)) == documented


def test_the_columns_of_a_results_csv_are_the_documented_ones():
    results = section(EXPORTS, "Results: `/batches/<id>/results/`")
    _, _, columns = results.partition("| column of the CSV |")

    assert first_column(columns) == list(DOWNLOAD_HEADER)


def test_the_columns_of_focus_that_are_named_are_real():
    chapter = section(EXPORTS, "FOCUS: `/spend/focus.csv`")

    named = set(re.findall(r"`((?:x_)?[A-Z]\w+)`", chapter))

    assert named
    assert named - set(FOCUS_COLUMNS) == set()


@each_document
def test_each_example_in_python_can_be_compiled_and_imports_what_exists(document):
    statements = [line for text in fences(document, "python") for line in ast.parse(text).body]

    for statement in statements:
        if isinstance(statement, ast.ImportFrom):
            module = import_module(statement.module)
            assert all(hasattr(module, name.name) for name in statement.names)


def test_each_picture_is_taken_and_shown():
    files = {path.stem for path in (ROOT / "docs" / "screenshots").glob("*.png")}
    taken = found(r'take\(.*"([a-z-]+)"', "docs/screenshots.py")
    targets = [Path(link) for document in DOCUMENTS for link in links(document)]
    shown = {path.stem for path in targets if path.suffix == ".png"}

    assert files == set(taken) == shown


def test_each_message_in_the_table_of_troubles_is_one_that_people_see():
    table = section(ROOT / "README.md", "When something is wrong")
    first = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    messages = {text for cell in first for text in re.findall(r'"([^"]+)"', cell)}
    shown = "\n".join(words_shown())

    parts = [
        part.strip()
        for message in messages - SQLITES_WORDS
        for part in re.split(r"…|\b8000\b", message)
        if part.strip()
    ]
    assert len(parts) > 10
    assert [part for part in parts if part not in shown] == []


def words_shown() -> Iterator[str]:
    """The text of templates, the setup's scripts, and all strings in Python code."""
    for path in ROOT.glob("templates/**/*.html"):
        yield " ".join(re.sub(r"<[^>]+>", "", text_of(path)).split())
    for path in (ROOT / ".make").iterdir():
        yield text_of(path)
    for package in ("batches", "dashboard"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(text_of(path))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value
