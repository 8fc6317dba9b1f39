"""The tests' settings as a production copy would have them: compiled templates, quiet logs."""

from tests.settings import *  # noqa: F403

TEMPLATES[0]["OPTIONS"]["debug"] = False  # noqa: F405
LOGGING["root"]["level"] = "ERROR"  # noqa: F405
ROOT_URLCONF = "tests.bench.urls"
