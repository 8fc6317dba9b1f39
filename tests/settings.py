"""Batchboard's settings for the tests, with nothing from the caller's environment."""

import os
import tempfile
from pathlib import Path

for name in list(os.environ):
    if name.startswith(("ANTHROPIC_", "BATCHBOARD_")) or name in {
        "ALLOWED_HOSTS",
        "CSRF_TRUSTED_ORIGINS",
        "DATABASE_URL",
        "DEBUG",
        "SECRET_KEY",
    }:
        del os.environ[name]
os.environ["BATCHBOARD_VAR"] = tempfile.mkdtemp(prefix="batchboard-tests-")
if os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]
os.environ["BATCHBOARD_ENCRYPTION_KEYS"] = "y9zS5Zr0xO2J3o7pXcBqv1o8m0m9mQ3vXh7l2c4d6eE="
os.environ["ALLOWED_HOSTS"] = "testserver,localhost,127.0.0.1"
os.environ["BATCHBOARD_HTTPS"] = "0"
# The sandbox answers at http://sandbox.
os.environ["BATCHBOARD_ALLOW_HTTP"] = "1"

from dashboard.settings import *  # noqa: E402, F403

TEMPLATES[0]["OPTIONS"]["debug"] = True  # noqa: F405
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# For its flush command, which can empty the audit.
INSTALLED_APPS = ["tests", *INSTALLED_APPS]  # noqa: F405
# Hashing is slow on purpose; tests sign in hundreds of times.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
WHITENOISE_AUTOREFRESH = True
STATIC_ROOT = Path(os.environ["BATCHBOARD_VAR"]) / "static"
if "sqlite" in DATABASES["default"]["ENGINE"]:  # noqa: F405
    # A file, as in production, so that threads and processes compete for its lock.
    DATABASES["default"]["TEST"] = {"NAME": VAR_DIR / "tests.db"}  # noqa: F405
