"""How the tokens of one request divide by model and prompt bracket.

A request may take several passes of a model: turns of a tool loop, a compaction, an advisor's
answer. `usage.iterations` lists them.
"""

from bisect import bisect_left
from collections.abc import Sequence

from batches.client.results import Message
from batches.client.usage import Tokens, Usage
from batches.pricing import BATCH_TIER

MESSAGE = "message"
# Passes whose tokens are in no other figure, with our names. Others repeat the message's tokens.
EXTRA = {"compaction": "compaction", "advisor_message": "advisor"}

# Input, output, cache writes for 5 minutes and for an hour, cache reads.
type Figures = tuple[int, int, int, int, int]
# One part of a request: its purpose, its model, and the first and last bracket in which its prompts
# may be. They differ where the results don't say which prompt the tokens belong to.
type Part = tuple[str, str, int, int]


def tier_of(usage: Usage) -> str:
    """The tier at which the request ran; see `tier_word`."""
    return tier_word(usage.service_tier, usage.speed)


def tier_word(service_tier: str | None, speed: str | None) -> str:
    """The tier at which a request ran: "batch", "standard", or a word that has no price.

    A batch's results may name no tier. Speed "standard" is the default of every tier.
    """
    if speed and speed != "standard":
        return speed
    return service_tier or BATCH_TIER


def tokens_of(used: Tokens) -> Figures:
    """Input, output, cache writes for 5 minutes and for an hour, cache reads."""
    minutes, hour = used.cache_writes
    read = used.cache_read_input_tokens or 0
    return used.input_tokens, used.output_tokens, minutes, hour, read


def prompt_tokens(tokens: Figures) -> int:
    """The whole prompt, cached or not."""
    fresh, _, minutes, hour, read = tokens
    return fresh + minutes + hour + read


def parts_of(message: Message, boundaries: Sequence[int]) -> dict[Part, Figures]:
    """The tokens of each part of a request whose passes are listed, the message first.

    The parts named "message" add up to the message's own figures.
    """
    total, listed = tokens_of(message.usage), message.usage.iterations or ()
    if not boundaries or prompt_tokens(total) <= boundaries[0]:
        # No prompt of the request is long enough for another price.
        parts = {(MESSAGE, message.model, 0, 0): total}
    else:
        parts = _message_parts(message, total, boundaries)
    for each in listed:
        name = EXTRA.get(each.type)
        if name is None:
            continue
        tokens = fresh, _, minutes, hour, read = tokens_of(each)
        model = each.model or (message.model if name == "compaction" else "")
        at = bisect_left(boundaries, fresh + minutes + hour + read)
        part = (name, model, at, at)
        parts[part] = _summed([parts[part], tokens]) if part in parts else tokens
    return parts


def _message_parts(
    message: Message, total: Figures, boundaries: Sequence[int]
) -> dict[Part, Figures]:
    """The message's own tokens by the bracket of each pass.

    The message's figures are what Anthropic bills. If the passes don't add up to them, the prompts
    behind the difference are not known, so the tokens may belong to several brackets.
    """
    whole = prompt_tokens(total)
    own = [each for each in message.usage.iterations or () if each.type not in EXTRA]
    if not own:
        at = bisect_left(boundaries, whole)
        return {(MESSAGE, message.model, at, at): total}
    # Those of a model that declined are not billed.
    passes = [tokens_of(each) for each in own if each.model in {None, message.model}]
    passes = passes or [tokens_of(each) for each in own]
    places = [bisect_left(boundaries, prompt_tokens(each)) for each in passes]
    low, high = min(places), max(places)
    unlisted = whole - sum(map(prompt_tokens, passes))
    if unlisted > 0:
        low, high = 0, max(high, bisect_left(boundaries, unlisted))
    if low == high or _summed(passes) != total:
        return {(MESSAGE, message.model, low, high): total}
    parts: dict[Part, Figures] = {}
    for at, tokens in zip(places, passes, strict=True):
        _add(parts, (MESSAGE, message.model, at, at), tokens)
    return parts


def _add(parts: dict[Part, Figures], part: Part, tokens: Figures) -> None:
    before = parts.get(part)
    parts[part] = _summed([before, tokens]) if before else tokens


def _summed(many: Sequence[Figures]) -> Figures:
    fresh, output, minutes, hour, read = map(sum, zip(*many, strict=True))
    return fresh, output, minutes, hour, read
