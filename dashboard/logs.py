"""Configures logging: a line for each event, with the request's ID and the person."""

import re
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

# Anyone who has the link can set the password.
PASSWORD_LINK = re.compile(r"(/account/link/)[\w=-]+/[\w-]+")
# A token belongs into a header, but some people put it into an address.
API_TOKEN = re.compile(r"\b(bb_)[0-9A-Za-z]{8,}")


def hide_secrets(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Replace the tokens of password links and of the API in every value of the event."""
    for key, value in event.items():
        if isinstance(value, str) and "/account/link/" in value:
            event[key] = PASSWORD_LINK.sub(r"\1…", value)
        if isinstance(value, str) and "bb_" in value:
            event[key] = API_TOKEN.sub(r"\1…", str(event[key]))
    return event


SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    # Also for records of the logging module: Django logs the traceback of a 500 with it.
    structlog.processors.format_exc_info,
    hide_secrets,
]
in_pairs = structlog.processors.KeyValueRenderer(
    key_order=["timestamp", "level", "event"], drop_missing=True
)


def configuration(*, level: str, style: str) -> dict[str, Any]:
    """Django's LOGGING for `style` "text" or "json". Also configures structlog to use it.

    Line breaks and escape sequences in a value are escaped, so that text from outside cannot forge
    a line or color a terminal.
    """
    structlog.configure(
        processors=[
            # First, so that events below the level cost nothing.
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: Any = structlog.processors.JSONRenderer() if style == "json" else as_text
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    renderer,
                ],
            }
        },
        "handlers": {
            # Some packages set a level of their own; this level applies to all.
            "stderr": {"class": "logging.StreamHandler", "formatter": "line", "level": level}
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
            # httpx logs a line for each call, the worker one for each round.
            "httpx": {"level": "WARNING"},
            # axes logs several lines for each sign-in, which the audit records anyway.
            "axes": {"level": "WARNING"},
            # Two lines for each poll of each viewer would hide everything else. A request that
            # fails is still logged, and every other line has its request's ID and person.
            "django_structlog.middlewares.request": {"level": "WARNING"},
        },
    }


def as_text(logger: WrappedLogger, name: str, event: EventDict) -> str:
    """A line of `key=value` pairs, followed by the traceback, the only indented lines."""
    traceback = str(event.pop("exception", "")).splitlines()
    return "\n".join(
        [in_pairs(logger, name, event), *(f"    {escaped(line)}" for line in traceback)]
    )


def escaped(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
