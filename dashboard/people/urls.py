from django.urls import path

from dashboard.people import views

urlpatterns = [
    path("", views.person_list, name="person-list"),
    path("add/", views.person_add, name="person-add"),
    path("<int:pk>/", views.person_edit, name="person-edit"),
    path("<int:pk>/link/", views.person_link, name="person-link"),
    path("<int:pk>/sign-out/", views.person_sign_out, name="person-sign-out"),
]
