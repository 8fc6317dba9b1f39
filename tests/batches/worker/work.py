"""Kinds of work for tests, and rows for them."""

from dataclasses import replace

from django.utils import timezone

from batches.models import Chore, Workspace
from batches.models.claim import ClaimableQuerySet
from batches.worker.kinds import KINDS, Kind

BY_NAME = {kind.name: kind for kind in KINDS}


def chore_kind(run, **options) -> Kind:
    def due(now) -> ClaimableQuerySet[Chore]:
        return Chore.objects.due(now).order_by("id")

    return Kind("chores", Chore, due, run, **({"slots": 4, "most": 8} | options))


def rounds(run, **options) -> Kind:
    """The real query for due rounds, with other work."""
    return replace(BY_NAME["sync"], run=run, **options)


def make_workspaces(count: int, *, name: str = "w") -> list[Workspace]:
    return [
        Workspace.objects.create(name=f"{name}{n}", slug=f"{name}{n}", api_key="sk-ant-x")
        for n in range(count)
    ]


def done(row, _turn=None) -> None:
    row.done(timezone.now(), seconds=3600)


def attempts(name: str) -> int:
    return Chore.objects.values_list("attempts", flat=True).get(name=name)


def is_done(*names: str) -> bool:
    rows = Chore.objects.filter(name__in=names, next_attempt_at__isnull=False, attempts=0)
    return rows.count() == len(names)
