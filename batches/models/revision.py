from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, models, transaction


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
        table = connection.ops.quote_name(cls._meta.db_table)
        # One statement for both: a cancel takes numbers several times.
        sql = f"UPDATE {table} SET value = value + %s WHERE id = 1 RETURNING value"  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(sql, [count])
            return int(cursor.fetchone()[0]) - count + 1

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
