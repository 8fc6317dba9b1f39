"""The admin's door. Apart from its rooms, as Django needs it before they can be furnished."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url

from dashboard.access import may


class BatchboardAdminSite(admin.AdminSite):
    """For the role admin, whoever is staff; signing in is the dashboard's, with its locks."""

    site_header = site_title = "Batchboard"
    index_title = "Workspaces and people"
    site_url = "/"

    def has_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and may(request.user, "manage")

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.user.is_authenticated:
            raise PermissionDenied("manage")
        wanted = request.GET.get("next") or resolve_url("admin:index")
        return redirect_to_login(wanted, resolve_url("login"))
