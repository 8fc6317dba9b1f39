from importlib import import_module

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Its receiver must hear of every sign-in, also of one that loads no session engine.
        import_module("dashboard.sessions")
