"""The usage of one succeeded request, as its message reports it."""

from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct

# Far above any prompt; sums of a batch's requests stay within 64 bits.
LARGEST_FIGURE = 10**8

Figure = Annotated[int, Meta(ge=0, le=LARGEST_FIGURE)]
# The first two repeat tokens that the message's own figures include. The tokens of the others are
# in no other figure.
PassType = Literal["message", "fallback_message", "compaction", "advisor_message"]


class CacheCreation(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Tokens written to the cache, by lifetime."""

    ephemeral_5m_input_tokens: Figure | None = None
    ephemeral_1h_input_tokens: Figure | None = None


class OutputDetails(Struct, frozen=True, gc=False):
    """Of the output tokens, those spent on thinking.

    Other fields are ignored: the details only divide what `output_tokens` counts (SDK 2.12.0,
    `types/usage.py`).
    """

    thinking_tokens: Figure | None = None


class ServerTools(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """How often Anthropic's own tools were used.

    A web fetch costs nothing but its tokens (Anthropic's documentation of the web fetch tool).
    """

    web_search_requests: Figure | None = None
    web_fetch_requests: Any = None


class Tokens(Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """Tokens of one or several passes of a model. Any but input and output may be missing."""

    input_tokens: Figure
    output_tokens: Figure
    cache_creation_input_tokens: Figure | None = None
    cache_read_input_tokens: Figure | None = None
    cache_creation: CacheCreation | None = None

    @property
    def cache_writes(self) -> tuple[int, int]:
        """Tokens written to the cache for five minutes, and for an hour.

        The sum or its two parts may be missing. Tokens without a lifetime count as five minutes,
        the API's default.
        """
        written = self.cache_creation_input_tokens or 0
        creation = self.cache_creation
        if creation is None:
            return written, 0
        hour = creation.ephemeral_1h_input_tokens or 0
        return max(written - hour, creation.ephemeral_5m_input_tokens or 0), hour


class Pass(Tokens, frozen=True, gc=False, kw_only=True):
    """One entry of `iterations`: one pass of a model over its prompt."""

    type: PassType
    model: str | None = None


class Usage(Tokens, frozen=True, gc=False, kw_only=True):
    """The usage of one succeeded request: every field that a price may depend on.

    Other fields are refused, since they may change the price: see `known_usage`.
    """

    output_tokens_details: OutputDetails | None = None
    server_tool_use: ServerTools | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    iterations: list[Pass] | None = None
    # Batches accept such a token and ignore it (SDK 2.12.0, `types/beta/beta_usage.py`).
    fallback_credit: Any = None


def known_usage(fields: dict[str, Any]) -> tuple[Usage, list[str]]:
    """The known part of a usage that `Usage` refuses, and the names of its unknown fields.

    Names only fields that may change the price: an unknown field with a number other than 0, a
    tier or region that is no text, an entry of an unknown type. Raises msgspec.ValidationError if
    the token counts themselves are not known.
    """
    unknown: list[str] = []
    kept = _known(fields, Usage, "usage", unknown)
    for name, kind in (("cache_creation", CacheCreation), ("server_tool_use", ServerTools)):
        if isinstance(kept.get(name), dict):
            kept[name] = _known(kept[name], kind, f"usage.{name}", unknown)
    for name in ("service_tier", "speed", "inference_geo"):
        if not isinstance(kept.get(name), str | None):
            unknown.append(f"usage.{name}")
            del kept[name]
    if "output_tokens_details" in kept:
        kept["output_tokens_details"] = _details(kept["output_tokens_details"])
    kept["iterations"] = _known_passes(kept.get("iterations"), unknown)
    return msgspec.convert(kept, Usage), unknown


def _known(
    fields: dict[str, Any], kind: type[Struct], place: str, unknown: list[str]
) -> dict[str, Any]:
    names = kind.__struct_fields__
    unknown += [
        f"{place}.{name}"
        for name, value in fields.items()
        if name not in names and _has_figure(value)
    ]
    return {name: value for name, value in fields.items() if name in names}


def _has_figure(value: Any) -> bool:
    """Whether the value contains a number other than 0."""
    if isinstance(value, dict):
        return any(_has_figure(each) for each in value.values())
    if isinstance(value, list):
        return any(_has_figure(each) for each in value)
    return isinstance(value, int | float) and not isinstance(value, bool) and value != 0


def _details(value: Any) -> OutputDetails | None:
    try:
        return msgspec.convert(value, OutputDetails | None)
    except msgspec.ValidationError:
        return None


def _known_passes(entries: Any, unknown: list[str]) -> list[Pass]:
    if not isinstance(entries, list):
        if entries is not None:
            unknown.append("usage.iterations")
        return []
    found = [_known_pass(entry, unknown) for entry in entries]
    return [each for each in found if each is not None]


def _known_pass(entry: Any, unknown: list[str]) -> Pass | None:
    kind = entry.get("type") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or kind not in get_args(PassType):
        name = kind if isinstance(kind, str) else "an entry without a type"
        unknown.append(f"usage.iterations: {name}")
        return None
    # Entries that repeat the message's figures change no price.
    repeats = kind in {"message", "fallback_message"}
    named: list[str] = []
    fields = _known(entry, Pass, f"usage.iterations: {kind}", named)
    if isinstance(fields.get("cache_creation"), dict):
        place = f"usage.iterations: {kind}.cache_creation"
        fields["cache_creation"] = _known(fields["cache_creation"], CacheCreation, place, named)
    try:
        return msgspec.convert(fields, Pass)
    except msgspec.ValidationError:
        named.append(f"usage.iterations: {kind} without figures")
        return None
    finally:
        unknown += [] if repeats else named
