from django.urls import path
from django.views.decorators.http import require_http_methods

from dashboard.access import allow_anyone
from dashboard.sign_in.views import SignIn, SignOut

# Django's form views treat PUT as POST.
only_forms = require_http_methods(["GET", "HEAD", "POST"])

urlpatterns = [
    path("login/", allow_anyone(only_forms(SignIn.as_view())), name="login"),
    path("logout/", allow_anyone(SignOut.as_view()), name="logout"),
]
