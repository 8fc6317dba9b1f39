"""How a workspace comes to be from the environment; others are added by hand in the admin."""

from itertools import count

from django.conf import settings
from django.db.models import Q

from batches.models import Workspace


def adopt_environment() -> Workspace | None:
    """Make, or bring up to date, the workspace that ANTHROPIC_API_KEY stands for.

    The key itself stays in the environment. None when there is no key there: a workspace made
    earlier is then left as it is, as another machine's mirror may have the key.
    """
    if not settings.ANTHROPIC_API_KEY:
        return None
    mine = Workspace.objects.filter(from_environment=True)
    if not mine.update(base_url=settings.ANTHROPIC_BASE_URL):
        name = _free_name()
        return Workspace.objects.create(
            name=name.capitalize(),
            slug=name,
            base_url=settings.ANTHROPIC_BASE_URL,
            from_environment=True,
        )
    return mine.get()


def _free_name() -> str:
    for number in count(1):
        name = "default" if number == 1 else f"default-{number}"
        if not Workspace.objects.filter(Q(slug=name) | Q(name__iexact=name)).exists():
            return name
    raise AssertionError("count() ends only with memory")
