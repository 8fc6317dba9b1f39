"""The bracket of a prompt, as the reading of results finds it."""

from batches.pricing import PriceTable


def bracket(table: PriceTable, prompt_tokens: int) -> dict[str, int | None]:
    """The terms that `PriceTable.cost` takes for a prompt of so many tokens."""
    below = [size for size in table.boundaries if size < prompt_tokens]
    above = [size for size in table.boundaries if size >= prompt_tokens]
    return {"prompt_over": max(below, default=0), "prompt_up_to": min(above, default=None)}
