from django.urls import path

from dashboard.access import allow_anyone
from dashboard.sign_in.views import SignIn, SignOut

urlpatterns = [
    path("login/", allow_anyone(SignIn.as_view()), name="login"),
    path("logout/", allow_anyone(SignOut.as_view()), name="logout"),
]
