"""What a page's address may say: each value is checked for itself, and the wrong ones named."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.http import QueryDict

from batches.models import Workspace

LONGEST_TEXT = 200
# In an address, for the batches without a label, an owner or a model's name.
NO_VALUE = "(none)"
# What a page adds about a value that is not valid.
IGNORED = " This filter was ignored."
DAY_FORMATS = ["%Y-%m-%d"]


class QueryForm(forms.Form):
    """A form over GET values. One that cannot be right is left out; the others hold."""

    # What people call each field.
    titles: ClassVar[Mapping[str, str]]

    def __init__(self, values: QueryDict, workspaces: list[Workspace]) -> None:
        super().__init__(values)
        names = [(workspace.slug, workspace.name) for workspace in workspaces]
        self.fields["workspace"] = forms.ChoiceField(choices=names, required=False)

    def chosen(self) -> dict[str, Any]:
        """The values that hold, none of them empty."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}

    def sentences(self) -> list[str]:
        """One for each value that is left out; of what was given, no more than a line of it."""
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
        return "it contains a character that no text can have."


def text_field() -> forms.CharField:
    return forms.CharField(max_length=LONGEST_TEXT, required=False)


def day_field() -> forms.DateField:
    return forms.DateField(input_formats=DAY_FORMATS, required=False)


def choice_field(*names: str) -> forms.ChoiceField:
    return forms.ChoiceField(choices=[(name, name) for name in names], required=False)


def stored_text(text: str) -> str:
    """What the database holds for a text of the address."""
    return "" if text == NO_VALUE else text
