from django.urls import path

from dashboard.access import allow, allow_anyone
from dashboard.account import views

urlpatterns = [
    path("", views.account, name="account"),
    path(
        "password/",
        allow("account")(views.PasswordChange.as_view()),
        name="password-change",
    ),
    path("sign-out-others/", views.sign_out_others, name="sign-out-others"),
    path(
        "link/<uidb64>/<token>/",
        allow_anyone(views.PasswordLinkPage.as_view()),
        name="password-link",
    ),
]
