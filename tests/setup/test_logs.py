import json
import logging
import sys

import pytest
import structlog

from dashboard import logs


def written(style: str, error: Exception) -> str:
    """What the log holds of an error that Django, which knows no structlog, has logged."""
    line = dict(logs.configuration(level="INFO", style=style)["formatters"]["line"])
    formatter = line.pop("()")(**line)
    try:
        raise error
    except type(error):
        record = logging.LogRecord(
            "django.request", logging.ERROR, "", 0, "Internal Server Error: /", (), sys.exc_info()
        )
    return formatter.format(record)


def test_an_error_s_traceback_stands_below_its_line():
    first, *rest = written("text", ValueError("no such thing")).splitlines()

    assert "event='Internal Server Error: /'" in first
    assert rest[0] == "    Traceback (most recent call last):"
    assert rest[-1] == "    ValueError: no such thing"


def test_an_error_s_traceback_is_a_value_in_json():
    line = json.loads(written("json", ValueError("no such thing")))

    assert line["exception"].startswith("Traceback (most recent call last):")
    assert line["exception"].endswith("ValueError: no such thing")


@pytest.mark.parametrize("forged", ["\n", "\r", "\x1b[2J", "\x85", "\u2028"])
def test_an_error_s_words_can_forge_no_line(forged):
    lines = written("text", ValueError(f"a{forged}timestamp='now' level='info'")).splitlines()

    assert [line for line in lines if line.startswith("timestamp=")] == lines[:1]
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("style", ["text", "json"])
def test_our_own_logger_writes_the_traceback_too(style, capsys):
    config = logs.configuration(level="INFO", style=style)
    line = dict(config["formatters"]["line"])
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(line.pop("()")(**line))
    logging.getLogger("tests.logs").addHandler(handler)

    try:
        int("no such thing")
    except ValueError:
        structlog.get_logger("tests.logs").exception("it broke")
    finally:
        logging.getLogger("tests.logs").removeHandler(handler)

    assert "ValueError: invalid literal" in capsys.readouterr().err
