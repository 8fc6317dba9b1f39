"""What a person may see and do. Every view names its rule; a test fails for a URL without one."""

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
from dashboard.roles import NEEDED, Needed, allows, role_of

type View = Callable[..., HttpResponseBase]


def may(user: Any, thing: str) -> bool:
    """Whether the person is signed in and has a role that allows the thing, one of NEEDED."""
    return bool(user.is_authenticated) and allows(role_of(user), thing)


def needed_for(refusal: Exception) -> Needed | None:
    """The role that `allow` requires; None if the refusal wasn't about a role."""
    return NEEDED.get(str(refusal.args[0])) if refusal.args else None


def allow(thing: str) -> Callable[[View], View]:
    """Give 403 to a person whose role doesn't allow `thing`, one of NEEDED."""

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
    """Let anyone in, signed in or not. The view must not show batches, people or keys."""
    view.access_rule = "anyone"  # type: ignore[attr-defined]
    return login_not_required(view)


def visible_workspaces(user: Any) -> WorkspaceQuerySet:
    """The workspaces that the person is a member of; all for a superuser.

    A person who uses an API token has it as `api_token`, and sees only the token's workspaces.
    """
    workspaces = Workspace.objects.for_pages()
    if not user.is_superuser:
        workspaces = workspaces.filter(members=user)
    token = getattr(user, "api_token", None)
    return workspaces.filter(api_tokens=token) if token else workspaces


def visible_people(user: Any) -> QuerySet[User]:
    """The people that an admin may see: members of the same workspaces, and people in none yet.

    Only superusers see superusers, and they see everyone.
    """
    if user.is_superuser:
        return User.objects.all()
    memberships = User.workspaces.through.objects
    shared = memberships.filter(workspace__in=visible_workspaces(user).values("pk"))
    shares = Q(pk__in=shared.values("user"))
    # A join would list a person once for each workspace.
    in_none = ~Exists(memberships.filter(user=OuterRef("pk")))
    return User.objects.filter(shares | in_none | Q(pk=user.pk), is_superuser=False)


def may_manage_account(user: Any, person: User) -> bool:
    """Whether the admin may change the person's name, role and state, or make a password link.

    They may not if the person is in a workspace that the admin is not in: with the link or the
    role, the admin could see and cancel its batches.
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
    """The batches in `visible_workspaces`."""
    batches = Batch.objects.all()
    if not user.is_superuser:
        batches = batches.filter(workspace__members=user)
    token = getattr(user, "api_token", None)
    return batches.filter(workspace__api_tokens=token) if token else batches


def visible_batch_or_404(user: Any, address: str) -> Batch:
    """The batch that an address names (`Batch.address`).

    Raises Http404, not 403, for a batch in another team's workspace. If several of the person's
    workspaces mirror the batch, returns the row of the one that still lists it, or listed it first.
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
    """The client's IP address, or an empty text if it isn't known.

    A client can send any X-Forwarded-For. Only the last BATCHBOARD_PROXIES entries, which the
    site's own proxies appended, are trusted.
    """
    peer = address_in(str(request.META.get("REMOTE_ADDR", "")))
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    hops = [hop for hop in forwarded if hop.strip()]
    proxies = settings.BATCHBOARD_PROXIES
    if not proxies or len(hops) < proxies:
        return peer
    return address_in(hops[-proxies]) or peer


def for_templates(request: HttpRequest) -> dict[str, Any]:
    """What the person may do, so that pages show only the controls that work for them."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"can": {}}
    return {"can": {thing: may(user, thing) for thing in NEEDED}}
