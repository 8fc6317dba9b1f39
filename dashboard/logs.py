"""What the processes write: one line an event, with the request's id and person."""

from typing import Any

import structlog

SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def configuration(*, level: str, style: str) -> dict[str, Any]:
    """Django's LOGGING for `style` "text" or "json"; sets structlog up to go through it.

    A line break or an escape sequence in foreign text comes out escaped, so that nothing from
    outside can forge a line or paint a terminal.
    """
    structlog.configure(
        processors=[
            # First: what will not be written should cost nothing.
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.processors.KeyValueRenderer(
            key_order=["timestamp", "level", "event"], drop_missing=True
        )
    )
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
            # The worker sets its own logger to INFO; what is written is decided here.
            "stderr": {"class": "logging.StreamHandler", "formatter": "line", "level": level}
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
            # httpx logs one line for each call; the rounds say what matters.
            "httpx": {"level": "WARNING"},
            # Two lines for each poll of each viewer would bury everything else; a request that
            # fails is still written, and every other line carries its request's id and person.
            "django_structlog.middlewares.request": {"level": "WARNING"},
            "django_tasks": {"level": "WARNING"},
            "django.tasks": {"level": "WARNING"},
        },
    }
