"""The OpenAPI 3.1 description, made from the operations."""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from django.urls import URLPattern

from dashboard.api import shapes
from dashboard.api.operations import Endpoint, Operation
from dashboard.api_tokens import CALLS_A_MINUTE
from dashboard.problems import KINDS

VERSION = "1"
# Every call can end with these.
ALWAYS = (
    "no-token", "unknown-token", "expired-token", "revoked-token", "inactive-person",
    "https-required", "too-many-calls", "too-many-failures", "error", "database-unavailable",
)  # fmt: skip
REFERENCE = "#/components/schemas/{name}"


def describe(patterns: list[URLPattern], prefix: str) -> dict[str, Any]:
    """The description of all endpoints among the patterns, under the path `prefix`."""
    endpoints = {
        f"/{path_of(pattern)}": pattern.callback
        for pattern in patterns
        if isinstance(pattern.callback, Endpoint) and pattern.callback.operations
    }
    operations = [each for endpoint in endpoints.values() for each in endpoint.operations.values()]
    types = [shapes.Problem]
    for operation in operations:
        types += [shape for shape, _ in operation.answers.values() if shape is not None]
        types += [operation.body] if operation.body else []
    refs, schemas = msgspec.json.schema_components(types, ref_template=REFERENCE)
    reference_of = dict(zip(types, refs, strict=True))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Batchboard",
            "version": VERSION,
            "description": "Anthropic's Message Batches as Batchboard mirrors them. Every call "
            "needs a token from the account page. A token can make "
            f"{CALLS_A_MINUTE} calls a minute.",
        },
        "servers": [{"url": prefix}],
        "security": [{"token": []}],
        "paths": {
            path: {
                method.lower(): _operation(operation, path, reference_of)
                for method, operation in endpoint.operations.items()
            }
            for path, endpoint in endpoints.items()
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas,
        },
    }


def path_of(pattern: URLPattern) -> str:
    """The path with its parameters as in "batches/{id}"."""
    return re.sub(r"<batch:api_id>", "{id}", str(pattern.pattern))


def _operation(
    operation: Operation, path: str, reference_of: Mapping[Any, Mapping[str, Any]]
) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {
            "name": parameter.name,
            "in": "query",
            "description": parameter.description,
            "schema": dict(parameter.schema),
        }
        for parameter in operation.parameters
    ]
    if "{id}" in path:
        description = "Anthropic's ID. Add @ and a workspace's slug if several have this ID."
        place: dict[str, Any] = {"name": "id", "in": "path", "required": True}
        parameters.insert(0, place | {"description": description, "schema": {"type": "string"}})
    found: dict[str, Any] = {
        "operationId": operation.handle.__name__,
        "summary": operation.summary,
        "description": f"Needs the scope `{operation.scope}`."
        if operation.scope
        else "Needs any token.",
    }
    if parameters:
        found["parameters"] = parameters
    if operation.body:
        found["requestBody"] = {
            "required": not operation.is_body_optional,
            "content": {"application/json": {"schema": reference_of[operation.body]}},
        }
    answers = {
        str(status): {
            "description": words,
            "content": {
                "application/json": {"schema": reference_of.get(shape, {"type": "object"})}
            },
        }
        for status, (shape, words) in operation.answers.items()
    }
    found["responses"] = answers | dict(_problems(operation, path, reference_of))
    return found


def _problems(
    operation: Operation, path: str, reference_of: Mapping[Any, Mapping[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """One answer for each status, with the kinds of problems that have it."""
    kinds = [*ALWAYS, "invalid-query", *operation.problems]
    kinds += ["missing-scope", "missing-role"] if operation.scope else []
    kinds += ["not-found"] if "{id}" in path else []
    kinds += ["invalid-body", "body-too-large"] if operation.body else []
    by_status: dict[int, list[str]] = {}
    for kind in KINDS:
        if kind in kinds:
            by_status.setdefault(KINDS[kind].status, []).append(kind)
    content = {"application/problem+json": {"schema": reference_of[shapes.Problem]}}
    for status, names in by_status.items():
        words = ", ".join(f"`{name}`" for name in names)
        yield (
            str(status),
            {"description": f"{HTTPStatus(status).phrase}: {words}", "content": content},
        )
