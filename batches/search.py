"""Conditions that find batches by ID, text or model."""

import re
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from batches.models import Batch, BatchUsage, Workspace

ID_PREFIX = "msgbatch_"
# A batch is found by any part of its ID from this length, and by a shorter beginning.
SHORTEST_PART = 6
# Up to this many batches are found first, by narrow indexes, and then fetched by their keys.
FEW = 2000
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
    """The names of all models in the usage of any workspace, in alphabetical order.

    One step in the index for each name, however many rows there are.
    """
    table = connection.ops.quote_name(BatchUsage._meta.db_table)
    smallest = f"SELECT MIN(model) FROM {table}"  # noqa: S608
    greater = f"SELECT ({smallest} WHERE model > name) FROM names WHERE name IS NOT NULL"  # noqa: S608
    names = f"WITH RECURSIVE names(name) AS ({smallest} UNION ALL {greater})"
    sql = f"{names} SELECT name FROM names WHERE name IS NOT NULL"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [name for (name,) in cursor.fetchall()]


def with_text(text: str, workspaces: Sequence[Workspace]) -> Q:
    """Batches that each word of the text is found in: ID, label, owner, note, model or workspace.

    The text may also be an ID with whitespace in it, or an address of a batch.
    """
    if found := IN_ADDRESS.search(text):
        return Q(api_id=found[1])
    words = text.split()
    match = Q()
    for word in words:
        match &= _with_word(word, workspaces)
    return match if len(words) < 2 else match | with_id("api_id", text)


def _with_word(word: str, workspaces: Sequence[Workspace]) -> Q:
    named = [w.pk for w in workspaces if word.casefold() in f"{w.name}\n{w.slug}".casefold()]
    match = _few_by_text(word) | used_like(word)
    return match | Q(workspace__in=named) if named else match


def _few_by_text(word: str) -> Q:
    """Found from narrow indexes first, as most words are in few batches.

    Otherwise labels and owners are in the index from which a filtered list is counted.
    """
    texts = _keys([_part("label", word), _part("owner", word)])
    others = _keys([_part("note", word), *_id_parts(word)])
    match = Q(label__icontains=word) | Q(owner__icontains=word) if texts is None else Q()
    if others is None:
        match |= Q(note__icontains=word) | with_id("api_id", word)
    return match | Q(pk__in=[*(texts or []), *(others or [])])


type Part = tuple[str, list[str]]


def _keys(parts: list[Part]) -> list[int] | None:
    """The keys of the batches in which one of the parts is found; None if they aren't few."""
    table = connection.ops.quote_name(Batch._meta.db_table)
    found = (f"SELECT id FROM {table} WHERE {condition}" for condition, _ in parts)  # noqa: S608
    with connection.cursor() as cursor:
        sql = f"{' UNION ALL '.join(found)} LIMIT {FEW + 1}"
        cursor.execute(sql, [value for _, values in parts for value in values])
        keys = [key for (key,) in cursor.fetchall()]
    return keys if len(keys) <= FEW else None


def _part(column: str, word: str) -> Part:
    # In SQL, because SQLite uses an index with a condition only for a query that contains it.
    like = "ILIKE" if connection.vendor == "postgresql" else "LIKE"
    return f"{column} <> '' AND {column} {like} %s ESCAPE '\\'", [f"%{_escaped(word)}%"]


def _id_parts(word: str) -> list[Part]:
    part = _compact(word)
    if not part.replace("_", "").isalnum():
        return []
    patterns = [f"%{_escaped(part)}%"]
    if len(part) < SHORTEST_PART:
        patterns = [f"{_escaped(part)}%", f"{_escaped(ID_PREFIX + part)}%"]
    return [("api_id LIKE %s ESCAPE '\\'", [pattern]) for pattern in patterns]


def with_id(column: str, text: str) -> Q:
    """Rows whose batch ID, in `column`, contains the text, or begins with a shorter one.

    No rows for an empty text.
    """
    part = _compact(text)
    if not part:
        return Q(pk__in=[])
    if len(part) >= SHORTEST_PART:
        return Q(**{f"{column}__contains": part})
    begins = f"{column}__startswith"
    return Q(**{begins: part}) | Q(**{begins: ID_PREFIX + part})


def _compact(text: str) -> str:
    # People paste IDs with whitespace in them, and shortened IDs with an ellipsis.
    return re.sub(r"\s|\.{3}$|…$", "", text)


def _escaped(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)


def _few(rows: QuerySet[Any], column: str) -> Q:
    """The rows' batches by their keys if they are few, otherwise by a subquery."""
    keys = rows.order_by().values_list(column, flat=True)
    found = list(keys[: FEW + 1])
    return Q(pk__in=found if len(found) <= FEW else keys)
