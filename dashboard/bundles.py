"""Which style sheets and scripts a page loads together; collected, each bundle is one file.

The sources stay small and separate: without collected files, as with DEBUG, a page loads them one
by one in the same order.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.files.base import File
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from whitenoise.storage import CompressedManifestStaticFilesStorage


class Limited(NamedTuple):
    """A style sheet that applies only where a media query matches."""

    path: str
    media: str


STACKED = "css/stacked.css"
# Layers decide between rules, and inside a layer the order here: what is general comes first.
BUNDLES: dict[str, tuple[str | Limited, ...]] = {
    "site.css": (
        *("css/tokens.css", "css/base.css", "css/form.css", "css/notice.css"),
        *("css/page.css", "css/dialog.css", "css/overrides.css"),
        Limited("css/print.css", "print"),
    ),
    "site.js": ("js/shell.js", "js/times.js", "js/copy.js", "js/shortcuts.js"),
    "sheet.css": ("css/sheet.css",),
    "cards.css": ("css/bar.css", "css/card.css"),
    "cards.js": (*("django_htmx/htmx-2.min.js", "js/live.js", "js/announce.js", "js/cancel.js"),),
    "list.css": ("css/summary.css", "css/filters.css"),
    "list.js": ("js/filters.js", "js/cards.js", "js/steady.js", "js/news.js"),
    "batch.css": (
        *("css/summary.css", "css/detail.css", "css/usage.css", "css/labels.css", "css/kit.css"),
    ),
    "batch.js": ("js/detail.js", "js/labels.js"),
    "label.css": ("css/detail.css", "css/labels.css"),
    "label.js": ("js/labels.js",),
    "requests.css": (
        *("css/filters.css", "css/detail.css", "css/kit.css", "css/table.css"),
        *(Limited(STACKED, "(width < 48rem)"), "css/requests.css"),
    ),
    "spend.css": (
        *("css/summary.css", "css/filters.css", "css/detail.css", "css/spend.css"),
        "css/report.css",
    ),
    "spend.js": ("js/chart.js",),
    "audit.css": (
        *("css/filters.css", "css/table.css"),
        *(Limited(STACKED, "(width < 72rem)"), "css/audit.css"),
    ),
    "workspaces.css": (
        *("css/table.css", Limited(STACKED, "(width < 64rem)"), "css/workspaces.css"),
    ),
    "workspace.css": ("css/detail.css", "css/workspaces.css"),
    "people.css": (
        *("css/filters.css", "css/table.css"),
        *(Limited(STACKED, "(width < 48rem)"), "css/people.css"),
    ),
    "person.css": ("css/detail.css", "css/people.css"),
    "account.css": (
        *("css/detail.css", "css/table.css"),
        *(Limited(STACKED, "(width < 48rem)"), "css/people.css"),
    ),
}


class BundlingStorage(CompressedManifestStaticFilesStorage):
    """WhiteNoise's storage, which also writes the bundles when it collects static files."""

    def post_process(
        self,
        paths: dict[str, Any],
        dry_run: bool = False,  # noqa: FBT001, FBT002
        **options: Any,
    ) -> Iterator[Any]:
        """Writes each bundle before it and its sources get their hashed names."""
        if not dry_run:
            for name in BUNDLES:
                path = path_of(name)
                if self.exists(path):
                    self.delete(path)
                self.save(path, File(BytesIO(joined(name, self))))
                paths[path] = (self, path)
        yield from super().post_process(paths, dry_run=dry_run, **options)


def path_of(name: str) -> str:
    """Where a collected bundle is; as deep as its sources, so that relative addresses hold."""
    return f"bundles/{name}"


def parts_of(name: str) -> Iterator[Limited]:
    """The files of a bundle, in order, with an empty media query where they always apply."""
    for part in BUNDLES[name]:
        yield Limited(part, "") if isinstance(part, str) else part


def joined(name: str, storage: Any) -> bytes:
    """The content of a bundle, from the files in the storage."""
    texts = []
    for path, media in parts_of(name):
        with storage.open(path) as source:
            text = source.read().decode().rstrip()
        texts.append(f"@media {media} {{\n{text}\n}}" if media else text)
    # A script that doesn't end with a semicolon must not run into the next one.
    return ("\n;\n" if name.endswith(".js") else "\n").join(texts).encode()


def links(name: str) -> SafeString:
    """The element that loads a bundle, or those that load its files where none is collected."""
    is_collected = isinstance(staticfiles_storage, BundlingStorage) and not settings.DEBUG
    parts = [Limited(path_of(name), "")] if is_collected else parts_of(name)
    return format_html_join("\n", "{}", ((_link(*part),) for part in parts))


def _link(path: str, media: str) -> SafeString:
    address = staticfiles_storage.url(path)
    if path.endswith(".js"):
        return format_html('<script src="{}" defer></script>', address)
    if media:
        return format_html('<link rel="stylesheet" href="{}" media="{}">', address, media)
    return format_html('<link rel="stylesheet" href="{}">', address)
