from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class DashboardConfig(AppConfig):
    name = "dashboard"


class BatchboardAdminConfig(AdminConfig):
    default_site = "dashboard.admin_site.BatchboardAdminSite"
