"""The tests' settings with compiled templates and quiet logs, as in production."""

from tests.settings import *  # noqa: F403

TEMPLATES[0]["OPTIONS"]["debug"] = False  # noqa: F405
LOGGING["root"]["level"] = "ERROR"  # noqa: F405
ROOT_URLCONF = "tests.bench.urls"
