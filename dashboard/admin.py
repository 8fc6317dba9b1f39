from django.contrib import admin


class BatchboardAdminSite(admin.AdminSite):
    site_header = "Batchboard"
