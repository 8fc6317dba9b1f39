from django.apps import AppConfig
from django.core import checks

from dashboard import proxies


class DashboardConfig(AppConfig):
    name = "dashboard"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        checks.register(proxies.check, checks.Tags.security)
