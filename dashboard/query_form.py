"""Reads the query string of a page's address: each value is checked on its own."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.db.models import Q
from django.http import QueryDict

from batches.models import Workspace

LONGEST_TEXT = 200
# Stands in an address for an empty label, owner or model name.
NO_VALUE = "(none)"
# The longest text between quotation marks.
LONGEST_QUOTED = LONGEST_TEXT + 2
# Follows the sentence about a value that is not valid.
IGNORED = " This filter was ignored."
NO_SUCH_PAGE = "That page does not exist. This is the first one."
DAY_FORMATS = ["%Y-%m-%d"]


class QueryForm(forms.Form):
    """A form over GET values. An invalid value is ignored, the others still apply."""

    # Each field's name on the page.
    titles: ClassVar[Mapping[str, str]]

    def chosen(self) -> dict[str, Any]:
        """The valid values, without empty ones."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}

    def sentences(self) -> list[str]:
        """A sentence about each invalid value, quoting a line of it at most."""
        return [
            f"{self.titles[name]}: {self._what_is_wrong(name)}{IGNORED}"
            for name in self.fields
            if name in self.errors
        ]

    def _what_is_wrong(self, name: str) -> str:
        given = str(self.data.get(name, ""))
        if len(given) > LONGEST_TEXT:
            return f"text is limited to {LONGEST_TEXT} characters, and {len(given):,} were given."
        match self.fields[name]:
            case forms.DateField():
                return f"“{given}” is not a day such as 2026-11-24."
            case forms.ChoiceField():
                return f"“{given}” is not a valid value."
        return "it contains an invalid character."


class WorkspaceQueryForm(QueryForm):
    """With a choice of one of the person's workspaces, by its slug."""

    def __init__(self, values: QueryDict, workspaces: list[Workspace]) -> None:
        super().__init__(values)
        slugs = (workspace.slug for workspace in workspaces)
        self.fields["workspace"] = choice_field(*slugs)


def text_field(longest: int = LONGEST_TEXT) -> forms.CharField:
    return forms.CharField(max_length=longest, required=False)


def day_field() -> forms.DateField:
    return forms.DateField(input_formats=DAY_FORMATS, required=False)


def choice_field(*names: str) -> forms.ChoiceField:
    return forms.ChoiceField(choices=[(name, name) for name in names], required=False)


def row_key(text: str) -> int | None:
    """The primary key that a text of the address names; None for any other text."""
    # A key of at most 18 digits fits into the database's column.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def rows_after(position: Mapping[str, Any], *, descending: bool = False) -> Q:
    """The rows that follow a position: the values of the columns of the order, the first first."""
    (name, value), *rest = position.items()
    further = Q(**{f"{name}__{'lt' if descending else 'gt'}": value})
    if not rest:
        return further
    # The first term looks superfluous, but lets the database find in its index where to begin.
    return Q(**{f"{name}__{'lte' if descending else 'gte'}": value}) & (
        further | rows_after(dict(rest), descending=descending)
    )


def stored_text(text: str) -> str:
    """The database's value for a text of the address."""
    return "" if text == NO_VALUE else text


def exactly(text: str) -> str:
    """The value of a filter that selects this text and no other, as `exact_text` reads it."""
    return f'"{text}"' if text else NO_VALUE


def exact_text(value: str) -> str | None:
    """The text that a filter's value selects exactly; None if it selects by a part of the text."""
    if value == NO_VALUE:
        return ""
    is_quoted = len(value) > 2 and value[0] == value[-1] == '"'
    return value[1:-1] if is_quoted else None
