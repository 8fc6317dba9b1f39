"""Password links. With one, a person can set their password once, within a day."""

from datetime import UTC, datetime, timedelta

from axes.utils import reset
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.views.decorators.debug import sensitive_variables

from dashboard.models import PasswordLink
from dashboard.sessions import end_sessions


class LinkNotValid(Exception):
    """The link was used or replaced, or has expired."""


def make_link(person: User) -> tuple[str, PasswordLink]:
    """Make a link for setting the password, and return its path.

    Ends the current password, older links and all sessions: links and sessions depend on the
    stored hash, which this replaces.
    """
    person.set_unusable_password()
    person.save(update_fields=["password"])
    end_sessions(person)
    valid_until = timezone.now() + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)
    link, _ = PasswordLink.objects.update_or_create(
        person=person, defaults={"valid_until": valid_until}
    )
    number = urlsafe_base64_encode(force_bytes(person.pk))
    token = default_token_generator.make_token(person)
    return reverse("password-link", args=[number, token]), link


def drop_link(person: User) -> None:
    """Make the person's link, if there is one, stop working."""
    PasswordLink.objects.filter(person=person).delete()


def has_open_link(person: User) -> bool:
    """Whether the person has a link that hasn't expired. Doesn't check the link's token."""
    open_links = PasswordLink.objects.filter(person=person, valid_until__gt=timezone.now())
    return person.is_active and open_links.exists()


@sensitive_variables("password")
def use_link(person_id: int, token: str, password: str) -> User:
    """Set the person's password and reset their failed sign-ins. The link stops working.

    Raises LinkNotValid.
    """
    # Hashing is slow, and others can't write during the transaction, so hash before it.
    hashed = make_password(password)
    with transaction.atomic():
        # A simultaneous second use waits for this lock, and then finds the link used.
        person = User.objects.select_for_update().get(pk=person_id)
        if not has_open_link(person) or not default_token_generator.check_token(person, token):
            raise LinkNotValid
        person.password = hashed
        person.save(update_fields=["password"])
        drop_link(person)
        end_sessions(person)
        reset(username=person.get_username())
    return person


def to_the_minute(moment: datetime) -> str:
    """The moment as in "Thu 26 Nov 2026, 03:40 UTC"."""
    return f"{moment.astimezone(UTC):%a %d %b %Y, %H:%M} UTC"
