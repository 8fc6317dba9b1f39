from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, models, transaction
from django.db.models import F


class Revision(models.Model):
    """One counter for all of the mirror: the order in which changes became visible.

    Whoever takes numbers holds the row's lock until commit, so that a lower number is never
    committed after a higher one and a poll that compares numbers misses nothing.
    """

    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def take(cls, count: int) -> int:
        """Reserve `count` numbers; the first of them. Needs an open transaction."""
        if not connection.in_atomic_block:
            raise transaction.TransactionManagementError("Revision.take needs a transaction.")
        cls.objects.filter(pk=1).update(value=F("value") + count)
        return cls.current() - count + 1

    @classmethod
    @contextmanager
    def writing(cls) -> Iterator[None]:
        """A transaction that holds the counter from its start.

        Every transaction that locks a batch or a cancellation begins so: with one order of
        locks, no two writers can wait for each other for ever.
        """
        with transaction.atomic():
            cls.take(0)
            yield

    @classmethod
    def current(cls) -> int:
        return int(cls.objects.values_list("value", flat=True).get(pk=1))
