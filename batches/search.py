"""Conditions that find batches by ID, text or model."""

import re
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import BooleanField, Exists, Model, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL

from batches.models import Batch, BatchUsage, Workspace

ID_PREFIX = "msgbatch_"
# A batch is found by any part of its ID from this length, and by a shorter beginning.
SHORTEST_PART, SHORTEST_BEGINNING = 6, 3
# Up to this many batches are found first, by narrow indexes, and then fetched by their keys.
FEW = 2000
# With more labels or owners than this, batches are searched instead of labels or owners.
MOST_DISTINCT = 2000
# The ID in an address of a batch, here or at the API.
IN_ADDRESS = re.compile(r"/batches/([A-Za-z0-9_-]{1,200})")


def used(model: str) -> Exists:
    """Batches that used the model. Known only for batches whose results have been read."""
    return Exists(BatchUsage.objects.filter(batch=OuterRef("pk"), model=model))


def used_like(part: str) -> Q:
    """Batches that used a model whose name contains the part, whatever its case."""
    names = [name for name in known_models() if part.casefold() in name.casefold()]
    return _few(BatchUsage.objects.filter(model__in=names), "batch") if names else Q(pk__in=[])


def known_models() -> list[str]:
    """The names of all models in the usage of any workspace, in alphabetical order."""
    return _distinct(BatchUsage, "model")


def text_like(column: str, part: str) -> Q:
    """Batches whose label or owner contains the part, whatever its case."""
    return _like(column, part, _distinct(Batch, column))


def _like(column: str, part: str, known: list[str]) -> Q:
    if len(known) > MOST_DISTINCT:
        return Q(**{f"{column}__icontains": part})
    found = [text for text in known if part.casefold() in text.casefold()]
    if 2 * len(found) <= len(known):
        return Q(**{f"{column}__in": found})
    # The others are fewer.
    return ~Q(**{f"{column}__in": ["", *(set(known) - set(found))]})


def _distinct(model: type[Model], column: str) -> list[str]:
    """The texts in a column, without the empty one, in order; up to one more than MOST_DISTINCT.

    One step in the column's index for each text, however many rows there are.
    """
    table = connection.ops.quote_name(model._meta.db_table)
    # SQLite uses an index with a condition only for a query that contains it.
    smallest = f"SELECT MIN({column}) FROM {table} WHERE NOT ({column} = '')"  # noqa: S608
    greater = f"SELECT ({smallest} AND {column} > text) FROM texts WHERE text IS NOT NULL"  # noqa: S608
    texts = f"WITH RECURSIVE texts(text) AS ({smallest} UNION ALL {greater})"
    sql = f"{texts} SELECT text FROM texts WHERE text IS NOT NULL LIMIT {MOST_DISTINCT + 1}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [text for (text,) in cursor.fetchall()]


def with_text(text: str, workspaces: Sequence[Workspace]) -> Q:
    """Batches that each word of the text is found in: ID, label, owner, note, model or workspace.

    The text may also be an ID with whitespace in it, or an address of a batch.
    """
    if found := IN_ADDRESS.search(text):
        return Q(api_id=found[1])
    if text.strip().startswith(ID_PREFIX):
        return _few(Batch.objects.filter(with_id("api_id", text)), "pk")
    known = {column: _distinct(Batch, column) for column in ("label", "owner")}
    match = Q()
    for word in sorted(set(text.split()), key=len, reverse=True):
        match &= _with_word(word, workspaces, known)
    return match


def _with_word(word: str, workspaces: Sequence[Workspace], known: dict[str, list[str]]) -> Q:
    """Each part of the condition is a list of keys or texts, or else in an index of its own."""
    named = [w.pk for w in workspaces if word.casefold() in f"{w.name}\n{w.slug}".casefold()]
    # SQLite uses an index with a condition only for a query that contains it.
    is_noted = RawSQL("NOT (note = '')", (), output_field=BooleanField())
    noted = Batch.objects.filter(is_noted, note__icontains=word)
    # Databases try the parts in this order: those that match many batches come first.
    match = Q(workspace__in=named) if named else Q(pk__in=[])
    for column, texts in known.items():
        match |= _like(column, word, texts)
    match |= _few(noted, "pk") | used_like(word)
    if len(word) >= SHORTEST_BEGINNING:
        match |= _few(Batch.objects.filter(with_id("api_id", word)), "pk")
    return match


def with_id(column: str, text: str) -> Q:
    """Rows whose batch ID, in `column`, contains the text, or begins with a shorter one.

    No rows for an empty text.
    """
    part = _compact(text)
    if not part:
        return Q(pk__in=[])
    if len(part) >= SHORTEST_PART:
        return Q(**{f"{column}__contains": part})
    return _begins(column, part) | _begins(column, ID_PREFIX + part)


def _begins(column: str, part: str) -> Q:
    if connection.vendor != "sqlite":
        return Q(**{f"{column}__startswith": part})
    # SQLite reads all rows for LIKE, and for this only those that match.
    return Q(**{f"{column}__gte": part, f"{column}__lt": part + "\U0010ffff"})


def _compact(text: str) -> str:
    # People paste IDs with whitespace in them, and shortened IDs with an ellipsis.
    return re.sub(r"\s|\.{3}$|…$", "", text)


def _few(rows: QuerySet[Any], column: str) -> Q:
    """The rows' batches by their keys if they are few, otherwise by a subquery."""
    keys = rows.order_by().values_list(column, flat=True)
    found = list(keys[: FEW + 1])
    return Q(pk__in=found if len(found) <= FEW else keys)
