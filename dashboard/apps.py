from importlib import import_module

from django.apps import AppConfig
from django.core import checks

from dashboard.checks import proxies_are_counted


class DashboardConfig(AppConfig):
    name = "dashboard"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        checks.register(proxies_are_counted, checks.Tags.security)
        # The import connects its receiver of sign-ins.
        import_module("dashboard.sessions")
