"""How many failed sign-ins lock a username or an address, and for how long."""

from collections.abc import Iterable
from datetime import datetime
from ipaddress import IPv6Network, ip_network

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from batches import clock
from batches.models import AuditEvent
from dashboard.access import client_address

# For all usernames together. An office may share one address, so this is well above the number of
# mistakes that its people make in 15 minutes.
MOST_PER_ADDRESS = 20
# Internet providers give each customer at least one network of this size.
IPV6_PREFIX = 64


def name_locked_until(request: HttpRequest, name: str) -> datetime | None:
    """When the lock of this username at the client's address ends; None if it isn't locked.

    Locked, as axes decides, by AXES_FAILURE_LIMIT failures within AXES_COOLOFF_TIME and since the
    last success.
    """
    failures = AccessAttempt.objects.filter(
        username=counted_name(name),
        ip_address=counted_address(request),
        attempt_time__gte=clock.now() - settings.AXES_COOLOFF_TIME,
    ).order_by("-attempt_time")
    counts = failures.values_list("attempt_time", "failures_since_start")
    return _end_of_lock(counts, settings.AXES_FAILURE_LIMIT)


def address_locked_until(request: HttpRequest) -> datetime | None:
    """When the lock of the client's network ends, for all usernames; None if it isn't locked.

    Counts the failed sign-ins in the audit, which a success doesn't reset.
    """
    network = network_of(client_address(request))
    failures = AuditEvent.objects.filter(
        # The database can't tell which IPv6 addresses are in the network.
        Q(address__contains=":") if ":" in network else Q(address=network),
        action=AuditEvent.Action.SIGN_IN_FAILED,
        at__gte=clock.now() - settings.AXES_COOLOFF_TIME,
    ).order_by("-at")
    counts = (
        (at, 1)
        for at, address in failures.values_list("at", "address")
        if network_of(address) == network
    )
    return _end_of_lock(counts, MOST_PER_ADDRESS)


def _end_of_lock(newest_first: Iterable[tuple[datetime, int]], limit: int) -> datetime | None:
    """When fewer than `limit` failures will be within AXES_COOLOFF_TIME; None if that is now."""
    seen = 0
    for at, count in newest_first:
        seen += count
        if seen >= limit:
            return at + settings.AXES_COOLOFF_TIME
    return None


def network_of(address: str) -> str:
    """What one customer of a provider has: the IPv4 address, or the IPv6 address's /64 network."""
    if ":" not in address:
        return address
    network = ip_network(address)
    is_v6 = isinstance(network, IPv6Network)
    return str(network.supernet(new_prefix=IPV6_PREFIX) if is_v6 else network)


def counted_address(request: HttpRequest) -> str | None:
    """The client's address as axes stores it; None if it isn't known."""
    return client_address(request) or None


def counted_name(name: str) -> str:
    """The username as axes stores it: a keyed hash, unless an account has this name.

    Some people type their password into this field.
    """
    if User.objects.filter(username=name).exists():
        return name
    return f"unknown {salted_hmac(__name__, name, algorithm='sha256').hexdigest()}"


def name_for_axes(_request: HttpRequest, credentials: dict[str, str]) -> str:
    """The value for AXES_USERNAME_CALLABLE."""
    return counted_name(credentials["username"])
