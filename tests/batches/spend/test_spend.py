from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from django.utils import timezone

from batches.models import BatchUsage
from batches.models.usage import TOKEN_CLASSES
from batches.period import Period
from batches.pricing import PriceTable
from batches.spend.costs import cost_of
from batches.spend.question import COLUMNS, Question
from batches.spend.totals import compute_spend, lost_next
from tests.spend_world import PRICES, spent, used

NOVEMBER = Period(date(2026, 11, 1), date(2026, 11, 30))


@pytest.fixture(autouse=True)
def _prices(settings, db):
    settings.BATCHBOARD_PRICE_TABLE = PRICES


@pytest.fixture
def ask(workspace, other_workspace):
    """A function that computes November's spend of both workspaces."""

    def ask(period=NOVEMBER, *, of=(workspace, other_workspace), **options):
        return compute_spend(Question([each.pk for each in of], period, **options))

    return ask


@pytest.fixture
def world(workspace, other_workspace):
    """Read batches of both workspaces, with two models, labels and owners: $26.66 in all."""
    first, late = date(2026, 11, 2), date(2026, 11, 12)
    # 3 x $1, and half a million output tokens at $5: 5.50
    spent(workspace, first, used(input=3, output=0.5), label="nightly", owner="ada")
    # (1 x $10) x 1.1 in the US: 11.00; and 4 searches at $0.01: 0.04
    spent(
        workspace,
        first,
        used(model="large", input=1, inference_geo="us", web_searches=4),
        owner="ada",
    )
    # After the price was halved: 2 x $5 = 10.00
    spent(other_workspace, late, used(model="large", input=2), label="nightly", owner="bob")
    # Canceled: 0.01 x $2 written to the cache, and 1 x $0.10 read from it: 0.12
    spent(other_workspace, late, used(cache_write_1h=0.01, cache_read=1), is_canceled=True)


def test_a_period_costs_what_a_person_computes_by_hand(ask, world):
    answer = ask()

    assert answer.total.known == Decimal("26.66")
    # Twice the tokens' cost, and the searches at the same price: 2 x 26.62 + 0.04
    assert answer.total.standard == Decimal("53.28")
    assert answer.total.saving == Decimal("26.62")
    assert answer.total.requests == 40
    assert answer.total.read == answer.total.batches == 4
    assert answer.total.is_whole


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("workspace", {"Research": "16.54", "Production": "10.12"}),
        ("model", {"small": "5.62", "large": "21.04"}),
        ("label", {"nightly": "15.50", "": "11.16"}),
        ("owner", {"ada": "16.54", "bob": "10.00", "": "0.12"}),
        ("canceled", {False: "26.54", True: "0.12"}),
    ],
)
def test_each_grouping_sums_to_the_total(ask, world, workspace, other_workspace, group, expected):
    names = {workspace.pk: "Research", other_workspace.pk: "Production"}

    answer = ask(group=group)

    found = {
        names[key] if group == "workspace" else key: figure.known
        for key, figure in answer.groups.items()
    }
    assert found == {key: Decimal(amount) for key, amount in expected.items()}
    assert sum(figure.known for figure in answer.groups.values()) == answer.total.known
    assert sum(figure.batches for figure in answer.groups.values()) == 4


@pytest.mark.parametrize("stack", ["model", "workspace"])
def test_days_and_series_sum_to_the_total(ask, world, stack):
    answer = ask(stack=stack)

    days = {day: figure.known for day, figure in answer.days.items() if figure.known}
    assert days == {date(2026, 11, 2): Decimal("16.54"), date(2026, 11, 12): Decimal("10.12")}
    assert sum(figure.known for figure in answer.series.values()) == answer.total.known
    assert sum(figure.known for figure in answer.cells.values()) == answer.total.known


def test_token_classes_and_searches_have_a_figure_each(ask, world):
    classes = {each.name: (each.quantity, each.known) for each in ask().classes}

    assert classes == {
        "input_tokens": (6_000_000, Decimal(24)),
        "output_tokens": (500_000, Decimal("2.5")),
        "cache_write_5m_tokens": (0, 0),
        "cache_write_1h_tokens": (10_000, Decimal("0.02")),
        "cache_read_tokens": (1_000_000, Decimal("0.1")),
        "web_searches": (4, Decimal("0.04")),
    }


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"model": "large"}, "21.04"),
        ({"label": "nightly"}, "15.50"),
        ({"label": ""}, "11.16"),
        ({"owner": "ada", "model": "large"}, "11.04"),
        ({"is_canceled": True}, "0.12"),
        ({"is_canceled": False}, "26.54"),
        ({"model": "unknown"}, "0"),
    ],
)
@pytest.mark.parametrize("group", COLUMNS)
def test_filters_apply_to_every_grouping(ask, world, filters, expected, group):
    answer = ask(group=group, **filters)

    assert answer.total.known == Decimal(expected)
    assert sum(figure.known for figure in answer.groups.values()) == Decimal(expected)


def test_only_the_selected_workspaces_count(ask, world, workspace):
    answer = ask(of=[workspace])

    assert answer.total.known == Decimal("16.54")
    assert answer.total.batches == 2


@pytest.mark.parametrize(
    ("moment", "is_included"),
    [
        (datetime(2026, 10, 31, 23, 59, 59, 999_999, UTC), False),
        (datetime(2026, 11, 1, tzinfo=UTC), True),
        (datetime(2026, 11, 30, 23, 59, 59, 999_999, UTC), True),
        (datetime(2026, 12, 1, tzinfo=UTC), False),
    ],
)
def test_a_period_is_whole_utc_days(ask, workspace, moment, is_included):
    spent(workspace, moment, used(input=1))
    spent(workspace, moment, results_state="pending")

    answer = ask()

    assert (answer.total.known, answer.total.read) == ((1, 1) if is_included else (0, 0))
    assert answer.total.missing["unread"] == is_included
    if is_included:
        assert answer.days[moment.date()].missing["unread"] == 1


def test_before_a_whole_month_comes_the_whole_month_before(ask, workspace):
    spent(workspace, date(2026, 10, 1), used(input=64))
    spent(workspace, date(2026, 10, 2), used(input=4))
    spent(workspace, date(2026, 10, 31), used(input=1))
    spent(workspace, date(2026, 10, 31), results_state="lost")
    spent(workspace, date(2026, 11, 1), used(input=16))

    answer = ask()

    assert answer.before.known == 64 + 4 + 1
    assert answer.before.missing_by_kind == [("lost", 1)]
    assert answer.total.known == 16


@pytest.fixture
def missing(workspace):
    """One batch of each missing kind, each with its own day and label."""
    spent(workspace, date(2026, 11, 1), processing_status="in_progress", label="running")
    spent(workspace, date(2026, 11, 2), results_state="pending", label="unread")
    spent(workspace, date(2026, 11, 3), results_state="unreadable", label="unreadable")
    spent(workspace, date(2026, 11, 4), results_state="lost", label="lost")
    spent(workspace, date(2026, 11, 5), used(model="new"), used(input=1), label="unpriced")
    return ("running", "unread", "unreadable", "lost", "unpriced")


@pytest.mark.parametrize("group", COLUMNS)
def test_every_figure_counts_the_batches_missing_from_it(ask, missing, group):
    answer = ask(group=group)

    assert answer.total.missing_by_kind == [(kind, 1) for kind in missing]
    assert answer.total.batches == 5
    assert answer.total.read == 1
    days = [answer.days[date(2026, 11, n)].missing_by_kind for n in range(1, 6)]
    assert days == [[(kind, 1)] for kind in missing]
    counted = [figure.missing for figure in answer.groups.values()]
    assert {kind: sum(each[kind] for each in counted) for kind in missing} == dict.fromkeys(
        missing, 1
    )


def test_each_label_counts_its_own_missing_batch(ask, missing):
    answer = ask(group="label")

    assert {key: figure.missing_by_kind for key, figure in answer.groups.items()} == {
        kind: [(kind, 1)] for kind in missing
    }


def test_batches_that_have_not_been_read_belong_to_no_model(ask, missing):
    groups = ask(group="model").groups

    assert set(groups) == {"small", "new", None}
    assert groups[None].batches == 4
    assert groups[None].cost is None
    assert groups["new"].cost is None
    assert groups["new"].missing["unpriced"] == 1
    assert groups["small"].cost == 1


def test_unknown_is_never_zero(ask, workspace):
    spent(workspace, date(2026, 11, 1), results_state="pending")

    answer = ask()

    assert answer.total.cost is None
    assert answer.total.saving is None
    assert answer.days[date(2026, 11, 1)].cost is None
    assert answer.days[date(2026, 11, 2)].cost == 0


def test_a_batch_without_a_success_cost_nothing(ask, workspace):
    spent(workspace, date(2026, 11, 1))

    answer = ask()

    assert answer.total.cost == 0
    assert answer.total.read == 1


def test_the_priced_part_of_a_batch_with_an_unpriced_model_counts(ask, workspace):
    spent(workspace, date(2026, 11, 5), used(model="new", input=9), used(input=1))

    answer = ask(group="workspace")

    assert answer.total.cost == 1
    assert not answer.total.is_whole
    assert answer.unpriced_models == ["new"]
    [tokens] = [each for each in answer.classes if each.name == "input_tokens"]
    assert (tokens.quantity, tokens.unpriced, tokens.cost) == (10_000_000, 9_000_000, 1)


def test_a_model_is_unpriced_only_before_its_first_price(ask, workspace):
    spent(workspace, date(2025, 12, 31), used(input=1))
    spent(workspace, date(2026, 1, 1), used(input=1))

    answer = ask(Period(date(2025, 12, 1), date(2026, 1, 31)))

    assert answer.total.missing["unpriced"] == 1
    assert answer.days[date(2025, 12, 31)].missing_by_kind == [("unpriced", 1)]
    assert answer.total.known == 1


def test_prompts_on_both_sides_of_a_threshold_have_no_price(ask, workspace, settings):
    long_prompts = replace(PRICES.prices[0], prompt_over=100_000, input=Decimal(4))
    settings.BATCHBOARD_PRICE_TABLE = PriceTable([*PRICES.prices, long_prompts])
    spent(workspace, date(2026, 11, 1), used(prompt_up_to=100_000, input=1))
    spent(workspace, date(2026, 11, 1), used(prompt_over=100_000, input=1))
    # Read before the threshold existed.
    spent(workspace, date(2026, 11, 1), used(input=1))

    answer = ask(group="owner")

    assert answer.total.known == 3
    assert answer.total.missing_by_kind == [("unpriced", 1)]


@pytest.mark.parametrize("group", ["label", "owner"])
def test_labels_and_owners_are_priced_day_by_day(ask, workspace, group):
    # Before and after the price changed.
    for day in (9, 10):
        spent(workspace, date(2026, 11, day), used(model="large", input=1), label="x", owner="x")

    answer = ask(group=group)

    assert answer.groups["x"].known == answer.total.known == Decimal(15)


def test_sums_stay_exact_however_large(ask, workspace):
    huge = 2**62
    for geo in ("", "global", "not_available"):
        spent(workspace, date(2026, 11, 1), {"input_tokens": huge, "inference_geo": geo})
    BatchUsage.objects.update(cache_read_tokens=1)

    answer = ask()

    assert answer.total.known == (Decimal(3 * huge) * 1 + Decimal("0.3")) / 1_000_000


@pytest.mark.parametrize("group", COLUMNS)
def test_a_total_is_exactly_the_sum_of_its_batches_costs(ask, workspace, other_workspace, group):
    chance = Random(group)
    batches = [
        spent(
            chance.choice([workspace, other_workspace]),
            date(2026, 11, chance.randint(1, 30)),
            *(
                {
                    "model": model,
                    "inference_geo": chance.choice(["", "us", "global"]),
                    "prompt_up_to": chance.choice([None, 100_000]),
                    "web_searches": chance.randrange(3),
                    **{name: chance.randrange(10**7) for name in TOKEN_CLASSES},
                }
                for model in chance.sample(["small", "large-20260101", "large", "new"], 2)
            ),
            label=chance.choice(["", "a", "b"]),
            owner=chance.choice(["", "x"]),
            is_canceled=chance.random() < 0.3,
        )
        for _ in range(40)
    ]

    answer = ask(group=group)

    costs = [cost_of(batch) for batch in batches]
    assert answer.total.known == sum(cost.known for cost in costs)
    assert answer.total.standard == sum(cost.standard for cost in costs)
    assert answer.total.missing["unpriced"] == sum(cost.state == "unpriced" for cost in costs)
    assert sum(figure.known for figure in answer.groups.values()) == answer.total.known
    assert sum(each.known for each in answer.classes) == answer.total.known


def test_no_usage_or_no_workspace_is_no_error(ask):
    assert ask().total.batches == 0
    assert ask(of=[]).total.cost == 0


def test_results_about_to_expire_are_of_ended_unread_batches_oldest_first(
    workspace, other_workspace
):
    now = timezone.now()
    soon = spent(workspace, now - timedelta(days=26, hours=1), results_state="pending")
    sooner = spent(workspace, now - timedelta(days=28), results_state="unreadable")
    spent(workspace, now - timedelta(days=25, hours=23), results_state="pending")
    spent(workspace, now - timedelta(days=28))
    spent(workspace, now - timedelta(days=28), results_state="lost")
    spent(workspace, now - timedelta(days=28), results_state="pending", archived_at=now)
    spent(other_workspace, now - timedelta(days=28), results_state="pending")

    assert list(lost_next([workspace], now)) == [sooner, soon]
