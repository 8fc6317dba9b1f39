"""Programs with tokens."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from batches.models import Workspace
from dashboard import api_tokens
from dashboard.api import authentication
from dashboard.models import ApiToken

ROOT = "/api/v1"


@pytest.fixture(autouse=True)
def _nothing_counted() -> Iterator[None]:
    """The counts in memory are for the tokens of another test's database."""
    api_tokens._counts.clear()
    authentication.forget_failures()
    yield
    authentication.forget_failures()


def give_token(owner: User, *scopes: str, workspaces: list[Workspace], name: str = "ci") -> str:
    """Store a token as the account page does; return its text."""
    text, now = api_tokens.new_text(), timezone.now()
    token = ApiToken.objects.create(
        person=owner,
        name=name,
        token_hash=api_tokens.hashed(text),
        hint=text[-4:],
        scopes=" ".join(scopes),
        created_at=now,
        expires_at=now + timedelta(days=90),
    )
    token.workspaces.set(workspaces)
    return text


def program(text: str) -> Client:
    """What sends this token with every call."""
    return Client(headers={"Authorization": f"Bearer {text}"})


@pytest.fixture
def token(person, workspace) -> Callable[..., Client]:
    """A function that makes a program whose token has the scopes; its owner has the role."""

    def make(*scopes: str, role: str = "lead", workspaces: list[Workspace] | None = None) -> Client:
        mine = workspaces or [workspace]
        return program(give_token(person(role, *mine, name="ada"), *scopes, workspaces=mine))

    return make


def kind(answer) -> str:
    """The last part of a problem's type."""
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    return answer.json()["type"].removeprefix("urn:batchboard:")
