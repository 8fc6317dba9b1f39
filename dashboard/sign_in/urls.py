from django.contrib.auth import views as auth
from django.urls import path

from dashboard.access import allow_anyone

urlpatterns = [
    path("login/", allow_anyone(auth.LoginView.as_view(redirect_authenticated_user=True)),
         name="login"),
    path("logout/", allow_anyone(auth.LogoutView.as_view()), name="logout"),
]  # fmt: skip
