"""Conditions that find batches by ID, text or model."""

import re

from django.db.models import Exists, OuterRef, Q

from batches.models import BatchUsage

ID_PREFIX = "msgbatch_"


def used(model: str) -> Exists:
    """Batches that used the model. Known only for batches whose results have been read."""
    return Exists(BatchUsage.objects.filter(batch=OuterRef("pk"), model=model))


def with_text(text: str) -> Q:
    """Batches whose ID begins with the text, or whose label, owner or note contains it."""
    match = Q(label__icontains=text) | Q(owner__icontains=text) | Q(note__icontains=text)
    return match | with_id("api_id", text)


def with_id(column: str, text: str) -> Q:
    """Rows whose batch ID, in `column`, begins with the text; no rows for an empty text."""
    # People paste IDs with whitespace in them, and shortened IDs with an ellipsis.
    compact = re.sub(r"\s|\.{3}$|…$", "", text)
    if not compact:
        return Q(pk__in=[])
    begins = f"{column}__startswith"
    return Q(**{begins: compact}) | Q(**{begins: ID_PREFIX + compact})
