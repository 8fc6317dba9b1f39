from django.urls import path

from dashboard.workspaces import views

urlpatterns = [
    path("", views.workspace_list, name="workspace-list"),
    path("add/", views.workspace_add, name="workspace-add"),
    path("<int:pk>/", views.workspace_edit, name="workspace-edit"),
    path("<int:pk>/delete/", views.workspace_delete, name="workspace-delete"),
    path("<int:pk>/accept/", views.workspace_accept, name="workspace-accept"),
]
