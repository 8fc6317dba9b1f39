"""Writes docs/openapi.json: `.venv/bin/python -m docs.openapi`."""

import json
import os
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
django.setup()

from django.urls import get_resolver  # noqa: E402

# Registers the converters of addresses.
assert get_resolver().url_patterns

from dashboard.api.urls import description  # noqa: E402

path = Path(__file__).with_name("openapi.json")
path.write_text(json.dumps(description(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
