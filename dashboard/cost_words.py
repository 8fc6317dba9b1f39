"""A batch's cost in words, or why it is unknown."""

from collections.abc import Mapping
from typing import Any

from batches.models import Batch
from batches.spend.costs import BatchCost, UnpricedReason
from dashboard.words import plural, usd

# By what a price lacks: a reason for an unknown cost.
LACKS = {
    "model": "no price for {}",
    "prompt": "no price for {}, because its prompt sizes are unknown",
    "tier": "no price for {}",
    "geo": "no price for inference in {}",
    "field": "{} is unknown and may change the price",
}


# The columns of `cost_cells`.
COST_COLUMNS = (
    "cost state", "cost (USD)", "cost known for (requests)", "billed (requests)", "cost not known",
)  # fmt: skip


def cost_cells(batch: Batch, cost: BatchCost) -> list[Any]:
    """A batch's cost in the COST_COLUMNS of a CSV: the known part, and why the rest is unknown."""
    is_read = batch.has_figures
    return [
        cost.state,
        cost.known if cost.is_known_in_part else None,
        cost.known_requests if is_read else None,
        cost.requests if is_read else None,
        _why_not_known(batch, cost),
    ]


def _why_not_known(batch: Batch, cost: BatchCost) -> str:
    if not batch.has_figures:
        return "the batch is running" if batch.is_active else batch.get_results_state_display()
    reasons = [reason_words(reason) for reason in cost.unpriced]
    if cost.unknown_lines:
        reasons.insert(0, _unknown_lines(cost))
    return "; ".join(reasons)


def cost_words(cost: BatchCost) -> str:
    """Why there is no figure, such as "no price for claude-x"; empty with one."""
    match cost.state:
        case "computed":
            return ""
        case "unreadable":
            return "results unreadable"
        case "incomplete":
            return _unknown_lines(cost)
        case "unpriced":
            return _first_reason(cost)
        case "lost":
            return "cost unknown"
    return f"cost {cost.state}"


def _unknown_lines(cost: BatchCost) -> str:
    return f"{cost.unknown_lines:,} of {cost.requests:,} results unknown"


def unpriced_words(cost: BatchCost) -> str:
    """What has no price, capitalized; empty if everything has one."""
    if not cost.unpriced:
        return ""
    if all(reason.lacks == "model" for reason in cost.unpriced):
        words = _first_reason(cost)
        return words[0].upper() + words[1:]
    count = cost.requests - cost.unknown_lines - cost.known_requests
    return f"The cost of {count:,} {plural(count, 'request')} is unknown"


def _first_reason(cost: BatchCost) -> str:
    first, *others = cost.unpriced
    return reason_words(first) + (f" and {len(others)} more" if others else "")


def known_words(cost: BatchCost) -> str:
    """A partly known cost, such as "$0.42 known for 99 of 100 requests"; empty for others."""
    if cost.total is not None or not cost.known_requests:
        return ""
    return f"{usd(cost.known)} known for {cost.known_requests:,} of {cost.requests:,} requests"


def reason_words(reason: UnpricedReason) -> str:
    """Why usage has no price, such as "no price for the priority tier"."""
    word = tier_words(reason.word) if reason.lacks == "tier" else reason.word
    return LACKS[reason.lacks].format(word or "a model without a name")


def tier_words(tier: str) -> str:
    """The name of a service tier, such as "the priority tier"."""
    return "fast mode" if tier == "fast" else f"the {tier} tier"


def off_tier_words(off_tier: Mapping[str, int]) -> str:
    """Such as "12 requests did not run at the batch tier (9 standard, 3 fast)"; empty for none."""
    count = sum(off_tier.values())
    if not count:
        return ""
    tiers = ", ".join(f"{off_tier[tier]:,} {tier}" for tier in sorted(off_tier))
    return f"{count:,} {plural(count, 'request')} did not run at the batch tier ({tiers})"
