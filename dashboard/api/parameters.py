"""The parameters in the query of an address. The pages' own forms say which values are valid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict

from dashboard.problems import Problem

DEFAULT_LIMIT, MOST_LIMIT = 50, 200


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    description: str
    # JSON Schema.
    schema: Mapping[str, Any]


LIMIT = Parameter(
    "limit",
    "How many at most.",
    {"type": "integer", "minimum": 1, "maximum": MOST_LIMIT, "default": DEFAULT_LIMIT},
)
AFTER = Parameter(
    "after", "Where the page begins. Take it from the link to the next page.", {"type": "string"}
)


def form_parameters(
    fields: Mapping[str, forms.Field], descriptions: Mapping[str, str]
) -> tuple[Parameter, ...]:
    """The fields of a page's form as parameters, in the order of the descriptions."""
    return tuple(
        Parameter(name, description, _schema(fields[name]))
        for name, description in descriptions.items()
    )


def _schema(field: forms.Field) -> dict[str, Any]:
    match field:
        # A choice among the person's workspaces has no fixed values.
        case forms.ChoiceField():
            choices: Any = field.choices
            names = [name for name, _ in choices]
            return {"type": "string", "enum": names} if names else {"type": "string"}
        case forms.DateField():
            return {"type": "string", "format": "date"}
        case forms.CharField() if field.max_length:
            return {"type": "string", "maxLength": field.max_length}
    return {"type": "string"}


def check_query(query: QueryDict, parameters: Sequence[Parameter]) -> None:
    """Raises Problem for a name that is misspelled or given twice: it would select too much."""
    names = [parameter.name for parameter in parameters]
    for name, values in query.lists():
        if name not in names:
            known = f"It has {', '.join(names)}." if names else "It has none."
            raise Problem("invalid-query", f"There is no parameter “{name[:100]}”. {known}")
        if len(values) > 1:
            raise Problem("invalid-query", f"The parameter “{name}” is given more than once.")


def limit_in(query: QueryDict) -> int:
    """Raises Problem if it is not valid."""
    text = query.get("limit", str(DEFAULT_LIMIT))
    if text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MOST_LIMIT:
        return int(text)
    raise Problem("invalid-query", f"limit: “{text[:100]}” is not a number from 1 to {MOST_LIMIT}.")


def refuse_problems(problems: Sequence[str], ending: str = "") -> None:
    """Raises Problem if a page's form found values that are not valid.

    The page ignores such a value, and says so at the `ending` of each sentence.
    """
    if problems:
        sentences = [problem.removesuffix(ending) for problem in problems]
        raise Problem("invalid-query", " ".join(sentences), problems=sentences)
