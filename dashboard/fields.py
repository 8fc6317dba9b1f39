"""Form fields, and checks of text, that several pages use."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError


def printable(text: str) -> None:
    """Raises ValidationError for control characters, line breaks and tabs apart."""
    if not all(character.isprintable() or character in "\r\n\t" for character in text):
        raise ValidationError("It contains a control character. Type it instead of pasting it.")


class OneLine(forms.CharField):
    """Text on one line: line breaks in what was pasted become spaces."""

    def to_python(self, value: Any) -> str:
        return " ".join(str(super().to_python(value)).split())


def unix_lines(text: str) -> str:
    """Browsers send line breaks as CR LF, whatever they were given."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
