import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from batches.models import Workspace
from batches.pricing import Price, PriceTable
from tests.dashboard.batch.batch_page import NOON, fact, page_of, read, section, words
from tests.dashboard.conftest import HTMX
from tests.dashboard.list.test_live import version
from tests.dashboard.reading import links, table
from tests.spend_world import spent, used


def test_usage_is_shown_by_model_with_what_it_cost(sign_in, workspace, november):
    # $2 and $10 a million tokens of small, $10 of input of large; half of it in a batch.
    read(
        batch := spent(
            workspace,
            NOON,
            used(input=3, output=0.5, cache_read=2, requests=4) | {"thinking_tokens": 1000},
            used(model="large", input=1, cache_write_5m=2, cache_write_1h=4, web_searches=3),
        )
    )

    page = page_of(sign_in("viewer"), batch)

    assert table(page, "Usage and cost by model")[1:] == [
        [
            *("large", "10", "1,000,000", "0"),
            *("2,000,000", "4,000,000", "0", "3", "$57.53"),
        ],
        ["small", "4", "3,000,000", "500,000 1,000 thinking", "0", "0", "2,000,000", "0", "$5.70"],
        [
            *("Total", "14", "4,000,000", "500,000 1,000 thinking"),
            *("2,000,000", "4,000,000", "2,000,000", "3", "$63.23"),
        ],
    ]
    assert [fact(page, name) for name in ("At standard prices", "Saved as a batch")] == [
        "$126.43",
        "$63.20 50%",
    ]
    assert "Computed by Batchboard from the results" in page


def test_cost_and_saving_add_up_and_so_do_the_models(sign_in, workspace, november):
    # Rounded one by one: $2.49 and $2.49 of $4.99, and three models at $0.83.
    models = ("small", "small-20260101", "small-20260102")
    usage = [used(model=model, input=0.831) for model in models]
    read(batch := spent(workspace, NOON, *usage, used(model="new", input=1)))

    page = page_of(sign_in("viewer"), batch)

    assert [fact(page, name) for name in ("At standard prices", "Saved as a batch")] == [
        "$4.99",
        "$2.50 50%",
    ]
    assert fact(page, "Cost of what has a price").startswith("$2.49")
    costs = [row[-1] for row in table(page, "Usage and cost by model")[1:]]
    assert costs == ["no price", "$0.83", "$0.83", "$0.83", "unknown"]


def test_less_than_a_dollar_is_shown_in_hundredths_of_a_cent(sign_in, workspace, november):
    read(batch := spent(workspace, NOON, used(input=0.35115), used(model="large", input=0.0012)))

    page = page_of(sign_in("viewer"), batch)

    # $0.35115 and, since the 10th at $5 a million, $0.006.
    costs = [row[-1] for row in table(page, "Usage and cost by model")[1:]]
    assert costs == ["$0.0060", "$0.3512", "$0.3572"]


def test_the_calculation_of_a_cost_is_shown(sign_in, workspace, november):
    usage = used(model="large", input=1.5, inference_geo="us", web_searches=3)
    read(batch := spent(workspace, NOON, usage))

    page = page_of(sign_in("viewer"), batch)

    assert table(page, "Cost of large, inference in the US")[1:] == [
        [
            *("Input", "1,500,000", "× $10.00 per million"),
            *("× 0.5 (batch) × 1.1 (inference in the US)", "$8.25"),
        ],
        ["Web searches", "3", "× $10.00 per 1,000", "", "$0.03"],
        ["Cost", "", "", "", "$8.28"],
    ]
    assert "Price: large, from 2026-11-10 (test)." in words(page)


def test_usage_with_the_same_price_is_one_line_and_other_lines_say_why(
    sign_in, workspace, settings
):
    dear = [Decimal(figure) for figure in ("4", "20", "5", "8", "0.4", "10")]
    cheap = [figure / 2 for figure in dear]
    settings.BATCHBOARD_PRICE_TABLE = PriceTable(
        [
            Price("long", date(2026, 1, 1), *cheap, prompt_over=0, source="test"),
            Price("long", date(2026, 1, 1), *dear, prompt_over=200_000, source="test"),
            Price("flat", date(2026, 1, 1), *cheap, prompt_over=0, source="test"),
        ]
    )
    brackets = ({"prompt_up_to": 200_000}, {"prompt_over": 200_000})
    usage = [used(model=m, input=1) | bracket for m in ("long", "flat") for bracket in brackets]
    usage.append(used(model="flat", input=1, inference_geo="global", prompt_up_to=200_000))
    read(batch := spent(workspace, NOON, *usage))

    rows = table(page_of(sign_in("viewer"), batch), "Usage and cost by model")

    assert [(row[0], row[2], row[-1]) for row in rows[1:]] == [
        ("flat", "3,000,000", "$3.00"),
        ("long prompts up to 200,000 tokens", "1,000,000", "$1.00"),
        ("long prompts over 200,000 tokens", "1,000,000", "$2.00"),
        ("Total", "5,000,000", "$6.00"),
    ]


def test_a_pending_cost_says_when_to_expect_it_and_what_went_wrong_last(sign_in, workspace):
    batch = spent(workspace, timezone.now(), results_state="pending")
    Workspace.objects.update(last_synced_at=timezone.now())
    browser = sign_in("viewer")

    before = section(page_of(browser, batch), "usage-title")
    in_ten = timezone.now() + timedelta(minutes=10, seconds=30)
    read(batch, error="No answer from the API.", error_at=timezone.now(), next_attempt_at=in_ten)
    after = section(page_of(browser, batch), "usage-title")

    assert "Cost pending. The results have not been read yet." in before
    assert "available about a minute after the batch ends" in before
    assert re.search(r"Last error, \d+ s ago : No answer from the API\.", after)
    assert "Next attempt in 10 min" in after


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"hold": "refused"}, "Anthropic refuses Research’s key, so the results can’t be read."),
        ({"hold": "foreign"}, "Research seems to have the key of another Anthropic workspace, so"),
        ({"is_enabled": False}, "Research is switched off, so the results aren’t read."),
    ],
)
@pytest.mark.parametrize("state", ["pending", "unreadable"])
def test_results_that_wait_for_the_workspace_say_so(sign_in, workspace, columns, sentence, state):
    batch = spent(workspace, timezone.now() - timedelta(days=9), results_state=state)
    read(batch, attempts=2, error="No answer from the API.", next_attempt_at=timezone.now())
    Workspace.objects.update(last_synced_at=timezone.now(), **columns)

    said = section(page_of(sign_in("viewer"), batch), "usage-title")

    assert sentence in said
    assert "They expire in 19 d" in said or "They expire in 20 d" in said
    assert "Last error: No answer from the API." in said
    assert "Retrying" not in said
    assert "Next attempt" not in said


def test_results_that_wait_for_a_worker_say_so(sign_in, workspace, running_worker):
    batch = spent(workspace, timezone.now(), results_state="pending")
    Workspace.objects.update(last_synced_at=timezone.now())
    running_worker.delete()

    said = section(page_of(sign_in("viewer"), batch), "usage-title")

    assert "No worker is running, so the results aren’t read." in said


@pytest.mark.parametrize("state", ["pending", "unreadable"])
def test_results_not_read_within_29_days_are_lost(sign_in, workspace, state):
    batch = spent(workspace, timezone.now() - timedelta(days=29), results_state=state)

    page = page_of(sign_in("viewer"), batch)

    assert "Cost unknown. Results expire 29 days after" in section(page, "usage-title")
    assert "format=jsonl" not in page


def test_a_poll_brings_each_attempt_to_read_the_results(sign_in, workspace):
    batch = spent(workspace, timezone.now(), results_state="pending")
    browser = sign_in("viewer")
    v = version(page_of(browser, batch))
    url = f"{batch.get_absolute_url()}live/"

    before = browser.get(url, {"v": v}, headers=HTMX)
    read(batch, attempts=1, error="The file is short.")
    after = browser.get(url, {"v": v}, headers=HTMX)

    assert before.status_code == 204
    assert "The file is short." in after.text


def test_unreadable_results_say_why_and_who_may_have_them_read_again(sign_in, workspace):
    batch = spent(workspace, timezone.now(), results_state="unreadable")
    Workspace.objects.update(last_synced_at=timezone.now())
    in_five = timezone.now() + timedelta(hours=5, minutes=1)
    read(batch, attempts=5, error="The file is short.", next_attempt_at=in_five)

    seen = {role: page_of(sign_in(role), batch) for role in ("viewer", "operator")}

    said = section(seen["viewer"], "usage-title")
    assert "Results unreadable. The cost is unknown." in said
    assert "5 attempts failed. Last error: The file is short." in said
    assert "Next attempt in 5 h 0" in said
    assert "Read again" not in said
    assert f'action="/batches/{batch.api_id}/reread/"' in seen["operator"]


def test_an_unpriced_model_is_named_next_to_the_known_cost(sign_in, workspace, november):
    read(batch := spent(workspace, NOON, used(input=3), used(model="new", input=1)))

    page = page_of(sign_in("viewer"), batch)

    said = section(page, "usage-title")
    assert "No price for new. The full cost is unknown." in said
    assert "BATCHBOARD_PRICES" in said
    assert fact(page, "Cost of what has a price") == "$3.00 for 10 of 20 requests"
    rows = table(page, "Usage and cost by model")
    assert [row[-1] for row in rows[1:]] == ["no price", "$3.00", "unknown"]


def test_a_lost_cost_says_why(sign_in, workspace):
    expired = spent(workspace, NOON, results_state="lost", archived_at=timezone.now())
    deleted = spent(workspace, NOON, results_state="lost", deleted_upstream_at=timezone.now())
    browser = sign_in("viewer")

    assert "Cost unknown. Results expire 29 days after" in section(
        page_of(browser, expired), "usage-title"
    )
    assert "deleted upstream before its results were read" in section(
        page_of(browser, deleted), "usage-title"
    )


def test_what_is_odd_in_the_file_is_a_warning(sign_in, workspace, november):
    batch = spent(workspace, NOON, used(input=1))
    read(batch, problem="The file does not agree with the counts: 9 succeeded.")

    page = page_of(sign_in("viewer"), batch)

    assert 'id="odd-results"' in page
    assert "does not agree with the counts: 9 succeeded." in section(page, "usage-title")


def test_a_cost_without_unreadable_lines_is_not_shown_as_complete(sign_in, workspace, november):
    read(some := spent(workspace, NOON, used(input=1), unknown_lines=1))
    read(none := spent(workspace, NOON, succeeded=0, errored=10, unknown_lines=1))
    browser = sign_in("viewer")

    known = section(page_of(browser, some), "usage-title")
    assert "Cost of the readable results $1.00 for 10 of 11 requests" in known
    assert "nothing was billed" not in section(page_of(browser, none), "usage-title")


def test_nothing_succeeded_is_nothing_billed(sign_in, workspace, november):
    read(batch := spent(workspace, NOON, succeeded=0, errored=10))

    said = section(page_of(sign_in("viewer"), batch), "usage-title")

    assert "No request succeeded, so nothing was billed: $0.00." in said


def test_failures_are_grouped_and_lead_to_their_requests(sign_in, workspace, november):
    batch = spent(workspace, NOON, used(input=1))
    read(batch, outcomes={"succeeded": 7, "errored": 2, "withheld": 1})
    for number in range(2):
        batch.failed_requests.create(
            custom_id=f"a{number}", outcome="errored", error_type="api_error", message="Oops <b>"
        )
    batch.failed_requests.create(custom_id="c", outcome="withheld")

    page = page_of(sign_in("viewer"), batch)

    failures = page.partition('id="failures-title"')[2].partition("</section>")[0]
    assert "2 api_error Oops <b>" in words(failures)
    assert "1 withheld no message given" in words(failures)
    assert [href for _, href in links(failures) if "/requests/" in href] == [
        f"/batches/{batch.api_id}/requests/?outcome=errored&type=api_error",
        f"/batches/{batch.api_id}/requests/?outcome=withheld",
    ]


def test_results_can_be_had_by_outcome_even_by_one_that_is_new(sign_in, workspace, november):
    batch = spent(workspace, NOON, used(input=1), is_canceled=True)
    read(batch, outcomes={"succeeded": 4, "canceled": 5, "withheld": 1})

    page = page_of(sign_in("viewer"), batch)

    panel = page.partition('id="results-title"')[2].partition("</section>")[0]
    at = f"/batches/{batch.api_id}"
    hrefs = [href for _, href in links(panel)]
    assert hrefs[:4] == [
        f"{at}/requests/?outcome=canceled",
        *(f"{at}/results/?outcome=canceled&format={kind}" for kind in ("jsonl", "csv", "ids")),
    ]
    assert f"{at}/requests/?outcome=withheld" in hrefs
    assert f"{at}/requests/?outcome=succeeded" not in hrefs
    assert f"{at}/results/?outcome=succeeded&format=jsonl" in hrefs
    assert hrefs[-3:] == [f"{at}/results/?format={kind}" for kind in ("jsonl", "csv", "ids")]


def test_an_expired_file_is_not_offered_but_its_stored_requests_are(sign_in, workspace, november):
    batch = spent(workspace, NOON, used(input=1), is_canceled=True, archived_at=timezone.now())
    read(batch, outcomes={"succeeded": 4, "canceled": 6})

    panel = page_of(sign_in("viewer"), batch).partition('id="results-title"')[2]

    assert "The API no longer has the results file." in panel
    assert "format=jsonl" not in panel
    assert "outcome=succeeded" not in panel
    assert "?outcome=canceled&amp;format=ids" in panel


def test_stop_reasons_are_counted(sign_in, workspace, november):
    batch = spent(workspace, NOON, used(input=1))
    read(batch, stop_reasons={"max_tokens": 3, "end_turn": 1234})

    page = page_of(sign_in("viewer"), batch)

    assert [row[:2] for row in table(page, "Requests by stop reason")[1:]] == [
        ["end_turn the answer is complete", "1,234"],
        ["max_tokens the answer was cut off at the request's max_tokens", "3"],
    ]


def test_a_running_batch_says_what_it_may_cost(sign_in, workspace, november):
    for number, cost in enumerate((1, 2, 3, 4, 10)):
        spent(workspace, NOON - timedelta(hours=number), used(input=cost), label="nightly")
    now = timezone.now()
    batch = spent(workspace, now, processing_status="in_progress", label="nightly")

    page = page_of(sign_in("viewer"), batch)

    assert fact(page, "Cost estimate") == (
        "p50–p90 of the cost per request of 5 batches with the label “nightly”"
    )
    assert fact(page, "Estimated cost") == "$3.00–$10.00"


def test_without_history_a_running_batch_promises_nothing(sign_in, row):
    row("one")

    said = section(sign_in("viewer").get("/batches/one/").text, "running-title")

    assert "No cost estimate yet" in said


def test_a_read_batch_s_page_takes_nine_queries(
    sign_in, workspace, november, django_assert_num_queries
):
    batch = spent(workspace, NOON, used(input=1), used(model="large", input=1))
    read(batch, outcomes={"succeeded": 10})
    browser = sign_in("viewer")

    # The session, the person, the batch; its reading, usage, cancellations, history, links and
    # failures.
    with django_assert_num_queries(9):
        page_of(browser, batch)


def test_the_poll_brings_what_a_reading_found(sign_in, workspace, november, change):
    batch = spent(workspace, NOON, used(input=2), results_state="pending")
    browser = sign_in("viewer")
    version = re.search(r'data-version="([^"]+)"', page_of(browser, batch))[1]
    read(batch)
    change(batch, results_state="read")

    answer = browser.get(f"{batch.get_absolute_url()}live/", {"v": version}, headers=HTMX).text

    assert [row[-1] for row in table(answer, "Usage and cost by model")[1:]] == ["$2.00"]
    for region in ("usage", "arithmetic", "outcomes", "unsuccessful", "fields", "history", "raw"):
        assert re.search(rf'id="{region}"[^>]* hx-swap-oob="true"', answer)


def test_a_page_whose_cost_is_awaited_asks_often(sign_in, workspace, november):
    just_ended = spent(workspace, timezone.now() - timedelta(minutes=8), results_state="pending")
    long_ended = spent(workspace, NOON, results_state="pending")
    browser = sign_in("viewer")

    assert 'hx-trigger="every 3s' in page_of(browser, just_ended)
    assert 'hx-trigger="every 30s' in page_of(browser, long_ended)
