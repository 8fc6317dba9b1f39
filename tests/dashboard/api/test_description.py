"""The OpenAPI description, its committed copy, and docs/api.md say the same as the code."""

import json
import re

import pytest

from dashboard.api.parameters import AFTER, LIMIT
from dashboard.api_tokens import SCOPES
from dashboard.problems import KINDS
from dashboard.roles import NEEDED
from tests.dashboard.api.conftest import ROOT
from tests.setup.test_docs import ROOT as REPOSITORY
from tests.setup.test_docs import first_column, section

COMMITTED = json.loads((REPOSITORY / "docs" / "openapi.json").read_text(encoding="utf-8"))
DOCUMENT = REPOSITORY / "docs" / "api.md"
SCHEMAS = COMMITTED["components"]["schemas"]


def rows(table: str) -> list[list[str]]:
    """The cells of a Markdown table without its header, in plain text."""
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    return [
        [cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines
    ]


def test_the_committed_description_is_that_of_the_code(token):
    # If this fails: .venv/bin/python -m docs.openapi
    assert token("read").get(f"{ROOT}/openapi.json").json() == COMMITTED


def test_it_is_openapi_3_1_without_a_dangling_reference():
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(COMMITTED)))

    assert COMMITTED["openapi"].startswith("3.1.")
    assert COMMITTED["servers"] == [{"url": ROOT}]
    assert references == set(SCHEMAS)
    names = [
        operation["operationId"]
        for path in COMMITTED["paths"].values()
        for operation in path.values()
    ]
    assert len(names) == len(set(names)) == 8


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_is_documented(name):
    assert first_column(section(DOCUMENT, f"`{name}`")) == list(SCHEMAS[name]["properties"])


def test_every_problem_is_documented_with_its_status():
    documented = [(name, int(status)) for name, status, _ in rows(section(DOCUMENT, "Errors"))]

    assert documented == [(name, kind.status) for name, kind in KINDS.items()]


def test_every_scope_is_documented_with_its_role():
    documented = rows(section(DOCUMENT, "Tokens"))

    assert documented == [
        [name, f"to {scope.words}", NEEDED[scope.thing].role] for name, scope in SCOPES.items()
    ]


def test_every_call_and_filter_is_documented():
    calls = section(DOCUMENT, "Calls")
    described = {
        f"{method.upper()} {ROOT}{path.replace('{id}', '<id>')}": operation
        for path, methods in COMMITTED["paths"].items()
        for method, operation in methods.items()
    }

    assert [row[0] for row in rows(calls)] == list(described)
    filters = {
        parameter["name"]
        for operation in described.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query"
    }
    assert filters - {LIMIT.name, AFTER.name} <= set(re.findall(r"`(\w+)`", calls))
