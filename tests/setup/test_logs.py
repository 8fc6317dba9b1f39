import io
import json
import logging
import sys

import pytest
import structlog
from django.contrib.auth.decorators import login_not_required
from django.test import Client
from django.urls import path

from dashboard import logs


def handler_of(style: str) -> logging.StreamHandler[io.StringIO]:
    """A handler that writes to its `stream` what Batchboard writes to stderr."""
    line = dict(logs.configuration(level="INFO", style=style)["formatters"]["line"])
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(line.pop("()")(**line))
    return handler


def written(style: str, error: Exception) -> str:
    """The log line of an error that Django logged without structlog."""
    handler = handler_of(style)
    try:
        raise error
    except type(error):
        record = logging.LogRecord(
            "django.request", logging.ERROR, "", 0, "Internal Server Error: /", (), sys.exc_info()
        )
    return handler.format(record)


def test_an_errors_traceback_is_below_its_line():
    first, *rest = written("text", ValueError("no such thing")).splitlines()

    assert "event='Internal Server Error: /'" in first
    assert rest[0] == "    Traceback (most recent call last):"
    assert rest[-1] == "    ValueError: no such thing"


def test_an_errors_traceback_is_a_value_in_json():
    line = json.loads(written("json", ValueError("no such thing")))

    assert line["exception"].startswith("Traceback (most recent call last):")
    assert line["exception"].endswith("ValueError: no such thing")


@pytest.mark.parametrize("forged", ["\n", "\r", "\x1b[2J", "\x85", "\u2028"])
def test_an_errors_message_cannot_forge_a_line(forged):
    lines = written("text", ValueError(f"a{forged}timestamp='now' level='info'")).splitlines()

    assert [line for line in lines if line.startswith("timestamp=")] == lines[:1]
    assert "\x1b" not in "".join(lines)


def breaks(request):
    raise LookupError("no such thing")


urlpatterns = [path("breaks/", login_not_required(breaks))]
handler500 = "dashboard.errors.server_error"


def logged_by_a_broken_view(style: str) -> str:
    handler = handler_of(style)
    logging.getLogger().addHandler(handler)
    try:
        response = Client(raise_request_exception=False).get("/breaks/")
    finally:
        logging.getLogger().removeHandler(handler)
    assert response.status_code == 500
    return handler.stream.getvalue()


@pytest.mark.urls(__name__)
def test_a_broken_views_traceback_is_logged_as_text():
    log = logged_by_a_broken_view("text")

    *_, event, traceback = log.partition("event='Internal Server Error: /breaks/'")
    assert event
    assert "\n    Traceback (most recent call last):\n" in traceback
    assert '\n        raise LookupError("no such thing")\n' in traceback
    assert traceback.endswith("\n    LookupError: no such thing\n")


@pytest.mark.urls(__name__)
def test_a_broken_views_traceback_is_logged_in_json():
    lines = map(json.loads, logged_by_a_broken_view("json").splitlines())

    (line,) = [line for line in lines if line["event"] == "Internal Server Error: /breaks/"]
    assert line["exception"].startswith("Traceback (most recent call last):")
    assert 'raise LookupError("no such thing")' in line["exception"]
    assert line["exception"].endswith("LookupError: no such thing")


@pytest.mark.parametrize("style", ["text", "json"])
def test_our_own_logger_writes_the_traceback_too(style):
    handler = handler_of(style)
    logging.getLogger("tests.logs").addHandler(handler)

    try:
        int("no such thing")
    except ValueError:
        structlog.get_logger("tests.logs").exception("it broke")
    finally:
        logging.getLogger("tests.logs").removeHandler(handler)

    assert "ValueError: invalid literal" in handler.stream.getvalue()
