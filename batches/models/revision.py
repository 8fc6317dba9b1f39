from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, models, transaction


class Revision(models.Model):
    """One counter for all batches: numbers the changes in the order in which they are committed.

    A transaction that takes numbers holds the row's lock until it commits. So a lower number is
    never committed after a higher one, and a poll that compares numbers misses no change.
    """

    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def take(cls, count: int) -> int:
        """Take `count` numbers and return the first. Needs an open transaction."""
        if not connection.in_atomic_block:
            raise transaction.TransactionManagementError("Revision.take needs a transaction.")
        table = connection.ops.quote_name(cls._meta.db_table)
        # One statement, as a cancel takes numbers several times.
        sql = f"UPDATE {table} SET value = value + %s WHERE id = 1 RETURNING value"  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(sql, [count])
            return int(cursor.fetchone()[0]) - count + 1

    @classmethod
    @contextmanager
    def writing(cls) -> Iterator[None]:
        """Open a transaction that holds the counter's lock from the start.

        Every transaction that locks a batch or a cancellation begins like this: locks taken in
        one order can't deadlock.
        """
        with transaction.atomic():
            cls.take(0)
            yield

    @classmethod
    def current(cls) -> int:
        return int(cls.objects.values_list("value", flat=True).get(pk=1))
