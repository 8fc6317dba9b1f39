"""Form fields and text validators that several pages use."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError


def validate_printable(text: str) -> None:
    """Raises ValidationError for control characters other than line breaks and tabs."""
    if not all(character.isprintable() or character in "\r\n\t" for character in text):
        raise ValidationError("It contains a control character. Type it instead of pasting it.")


class OneLine(forms.CharField):
    """Text on one line: pasted line breaks become spaces."""

    def to_python(self, value: Any) -> str:
        return " ".join(str(super().to_python(value)).split())


def unix_lines(text: str) -> str:
    """Replaces the CR LF that browsers send for every line break."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
