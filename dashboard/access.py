"""Who may see and do what. Every view names its rule here; a URL without one fails a test."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from batches.models import Batch, BatchQuerySet, Workspace
from batches.models.batch import FIRST
from batches.models.workspace import WorkspaceQuerySet
from dashboard.addresses import address_in
from dashboard.roles import ROLES, role_of

# The lowest role for each thing that a page may ask about.
NEEDED = {
    # Anybody signed in, even without a role.
    "account": "",
    "see": "viewer",
    "cancel": "operator",
    "label": "operator",
    "spend": "lead",
    "audit": "lead",
    "export": "lead",
    "manage": "admin",
}

type View = Callable[..., HttpResponseBase]


def may(user: Any, thing: str) -> bool:
    """Whether the person's role allows the thing, one of NEEDED."""
    if not NEEDED[thing]:
        return bool(user.is_authenticated)
    role = role_of(user)
    return bool(role) and ROLES.index(role) >= ROLES.index(NEEDED[thing])


def role_needed(refusal: Exception) -> str:
    """The lowest role that `allow` would have let in; empty where it wasn't a question of role."""
    return NEEDED.get(str(refusal.args[0]), "") if refusal.args else ""


def allow(thing: str) -> Callable[[View], View]:
    """The view is for signed-in people whose role allows `thing`; others get 403."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not may(request.user, thing):
                raise PermissionDenied(thing)
            return view(request, *args, **kwargs)

        guarded.access_rule = thing  # type: ignore[attr-defined]
        return guarded

    return guard


def allow_anyone(view: View) -> View:
    """The view is for the world: it must tell nothing about batches, people or keys."""
    view.access_rule = "anyone"  # type: ignore[attr-defined]
    return login_not_required(view)


def visible_workspaces(user: Any) -> WorkspaceQuerySet:
    """Those the person is a member of; all for a superuser; none without a role."""
    workspaces = Workspace.objects.for_pages()
    return workspaces if user.is_superuser else workspaces.filter(members=user)


def visible_people(user: Any) -> QuerySet[User]:
    """Those an admin may know of: who shares a workspace with them, and who is in none yet.

    Superusers are known to superusers alone, who see everybody.
    """
    if user.is_superuser:
        return User.objects.all()
    memberships = User.workspaces.through.objects
    mine = memberships.filter(workspace__in=visible_workspaces(user).values("pk"))
    shares = Q(pk__in=mine.values("user"))
    # Not by a join, which would list a person once for each workspace.
    in_none = ~Exists(memberships.filter(user=OuterRef("pk")))
    return User.objects.filter(shares | in_none | Q(pk=user.pk), is_superuser=False)


def may_manage_account(user: Any, person: User) -> bool:
    """Whether the admin may change the person's name, role and state, or make a password link.

    Not when the person is in a workspace that the admin is not in: with the link, or by the role,
    the admin could see or cancel there.
    """
    if user.is_superuser:
        return True
    if person.is_superuser:
        return False
    elsewhere = Workspace.objects.filter(members=person).exclude(
        pk__in=visible_workspaces(user).values("pk")
    )
    return not elsewhere.exists()


def visible_batches(user: Any) -> BatchQuerySet:
    if user.is_superuser:
        return Batch.objects.all()
    return Batch.objects.filter(workspace__members=user)


def visible_batch_or_404(user: Any, address: str) -> Batch:
    """The batch that an address names (`Batch.address`).

    One in another team's workspace is not there, rather than forbidden. One that several of the
    person's workspaces mirror is shown once: as it is in the workspace that has it from the API
    now, and had it first.
    """
    api_id, _, slug = address.partition("@")
    rows = visible_batches(user).filter(api_id=api_id).with_workspace()
    if slug:
        rows = rows.filter(workspace__slug=slug)
    batch = rows.with_worker_seen().order_by(*FIRST).first()
    if batch is None:
        raise Http404
    batch.is_second = bool(slug)
    batch.workspace.worker_seen_at = batch.worker_seen_at
    return batch


def client_address(request: HttpRequest) -> str:
    """The caller's IP address, as far as our own proxies vouch for it; empty if it isn't known.

    X-Forwarded-For is the caller's to invent, except for what BATCHBOARD_PROXIES proxies
    appended at its right end.
    """
    peer = address_in(str(request.META.get("REMOTE_ADDR", "")))
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    hops = [hop for hop in forwarded if hop.strip()]
    proxies = settings.BATCHBOARD_PROXIES
    if not proxies or len(hops) < proxies:
        return peer
    return address_in(hops[-proxies]) or peer


def for_templates(request: HttpRequest) -> dict[str, Any]:
    """What the person may do, for pages to show only the controls that will work."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"can": {}}
    return {"can": {thing: may(user, thing) for thing in NEEDED}}
