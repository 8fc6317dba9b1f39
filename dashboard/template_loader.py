"""Loads templates without their indentation and empty lines, because pages are sent with it."""

import re

from django.template import Origin
from django.template.loaders import filesystem

# What is inside of these is shown as it is.
KEPT = r"(?P<kept><(?P<element>pre|textarea)\b.*?</(?P=element)>)"
INDENTATION = re.compile(rf"{KEPT}|(?<=\n)\s*\n[ \t]*|^[ \t]+", re.DOTALL | re.MULTILINE)
# Lines of nothing but these tags, which write nothing. The line break before them remains.
SILENT = (
    "extends|load|block|endblock|partialdef|endpartialdef"
    "|if|elif|else|endif|for|empty|endfor|with|endwith"
)
SILENT_LINE = re.compile(
    rf"{KEPT}|^(?P<tags>(?:{{% (?:{SILENT})\b(?:(?!%}}).)*%}}|{{#(?:(?!#}}).)*#}})+)\n",
    re.DOTALL | re.MULTILINE,
)


class Loader(filesystem.Loader):
    """Django's loader for the folders in DIRS, but templates come out compact."""

    def get_contents(self, origin: Origin) -> str:
        return compact(super().get_contents(origin))


def compact(template: str) -> str:
    """The template without indentation, empty lines, and lines of nothing but silent tags.

    Elements with white space between them still have a line break there.
    """
    flat = INDENTATION.sub(lambda match: match["kept"] or "", template)
    return SILENT_LINE.sub(lambda match: match["kept"] or match["tags"], flat)
