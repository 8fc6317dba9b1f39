from django.urls import path
from django.views.decorators.http import require_http_methods

from dashboard.access import allow, allow_anyone
from dashboard.account import tokens, views

# Django's form views treat PUT as POST.
only_forms = require_http_methods(["GET", "HEAD", "POST"])

urlpatterns = [
    path("", views.account, name="account"),
    path(
        "password/",
        allow("account")(only_forms(views.PasswordChange.as_view())),
        name="password-change",
    ),
    path("display/", views.display, name="display"),
    path("tokens/", tokens.token_list, name="token-list"),
    path("tokens/<int:pk>/revoke/", tokens.token_revoke, name="token-revoke"),
    path("sign-out-others/", views.sign_out_others, name="sign-out-others"),
    path(
        "link/<uidb64>/<token>/",
        allow_anyone(only_forms(views.PasswordLinkPage.as_view())),
        name="password-link",
    ),
]
