"""Fills in a workspace's form as a browser does."""

from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from django.test import Client

from batches import connect
from batches.models import AuditEvent, Workspace
from batches.sandbox import SandboxApi

ADD = "/workspaces/add/"
# Keys that look like Anthropic's, of the sandbox's two workspaces.
RESEARCH_KEY = "sk-ant-api03-research-0123456789-AAaa"
PRODUCTION_KEY = "sk-ant-api03-production-0123456789-BBbb"
WRONG_KEY = "sk-ant-api03-wrong-0123456789-CCcc"
RESEARCH, PRODUCTION = "wrkspc_01research", "wrkspc_01production"
KEYS = {RESEARCH_KEY: RESEARCH, PRODUCTION_KEY: PRODUCTION}


class Form(HTMLParser):
    """The forms of a page with the values that a browser would send."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        given = dict(attributes)
        if tag == "form":
            self.forms.append((given.get("id", ""), {}))
        if tag == "textarea":
            self._put(given["name"], "")
        if tag != "input" or "name" not in given:
            return
        is_box = given.get("type") in {"checkbox", "radio"}
        if not is_box or "checked" in given:
            self._put(given["name"], given.get("value", "on" if is_box else ""))

    def _put(self, name: str, value: str | None) -> None:
        fields = self.forms[-1][1]
        if name == "members":
            fields.setdefault(name, []).append(value)
        else:
            fields[name] = value or ""


def fields(html: str, form: str = "workspace") -> dict:
    """The values that the form with this ID would send unchanged."""
    return next(found for name, found in Form(html).forms if name == form)


def second_press(html: str) -> dict:
    """The values that the question's button sends."""
    return next(found for _, found in Form(html).forms if "confirm" in found)


def fill(browser: Client, url: str, **typed):
    """Open the page, type into its form and submit it."""
    return browser.post(url, fields(browser.get(url).text) | typed)


def edit_url(workspace) -> str:
    return f"/workspaces/{workspace.pk}/"


def last_outcome(action: str = "workspace changed") -> str:
    """The outcome of the latest audit event of this action."""
    return AuditEvent.objects.filter(action=action).latest("pk").outcome


def like_anthropic(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxApi]:
    """A sandbox whose keys look like Anthropic's. For a fixture."""
    api = SandboxApi(keys=KEYS)
    monkeypatch.setattr(connect, "transport", api.transport)
    yield api
    connect.forget_clients()
    api.close()


def at_anthropic(workspace: Workspace) -> Workspace:
    """The workspace, moved to Anthropic's own address."""
    Workspace.objects.filter(pk=workspace.pk).update(base_url="https://api.anthropic.com")
    workspace.refresh_from_db()
    return workspace
