"""Runs every measurement, prints a table of ratios and writes it to var/bench.json."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench import reading
from tests.bench.listing import served
from tests.bench.spend import GROUPINGS
from tests.bench.work import api_served

MANY, FEW = 100_000, 100
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Line:
    """One promise: what was measured, and what it must not exceed."""

    what: str
    measured: float
    at_most: float
    unit: str
    detail: str

    @property
    def is_kept(self) -> bool:
        return self.measured <= self.at_most


def measure(name: str, *arguments: str, under: tuple[str, ...] = ()) -> dict[str, Any]:
    """One measurement in a new process, so that caches of the others don't help it.

    `under` is a module that runs the command. The result is empty if nothing was measured.
    """
    print(f"  {name} {' '.join((*arguments, *under))} …", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "tests.bench.measure", name, *arguments]
    done = subprocess.run(
        [sys.executable, "-m", *under, *command] if under else command,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.bench.settings"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    last = done.stdout.splitlines()[-1]
    if not last.startswith("{"):
        print(f"  {last}", file=sys.stderr, flush=True)
        return {}
    return json.loads(last)


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


def lines() -> list[Line]:
    few, many = measure("pages", str(FEW)), measure("pages", str(MANY))
    cancel = measure("cancels", "200")
    with served(MANY) as base_url:
        ours = measure("first_sync", base_url, str(MANY))
        theirs = measure("sdk", base_url, str(MANY))
    with served(1000) as base_url:
        steady = measure("steady_round", base_url)
    return [
        Line(
            f"list page, {MANY:,} batches / {FEW}",
            many["list_p95"] / few["list_p95"],
            1.3,
            "×",
            f"p95 {ms(many['list_p95'])} / {ms(few['list_p95'])}",
        ),
        Line(
            "the same, without remembered counts",
            many["list_cold_p95"] / few["list_cold_p95"],
            float("inf"),
            "×",
            f"p95 {ms(many['list_cold_p95'])} / {ms(few['list_cold_p95'])}",
        ),
        Line("list page, queries", many["list_queries"], 6, "", "session and user included"),
        Line(
            "unchanged poll / bare view",
            many["poll_median"] / many["bare_median"],
            1.5,
            "×",
            f"median {ms(many['poll_median'])} / {ms(many['bare_median'])}",
        ),
        Line(
            "cancel view, own time",
            1000 * cancel["own_p95"],
            20,
            "ms",
            f"p95 above the upstream call; median {ms(cancel['own_median'])}",
        ),
        Line(
            f"first sync of {MANY:,} / SDK iterating",
            ours["seconds"] / theirs["seconds"],
            0.75,
            "×",
            f"{ours['seconds']:.1f} s / {theirs['seconds']:.1f} s",
        ),
        Line("steady round over 1,000, writes", steady["row_writes"], 0, "rows", ""),
        Line("steady round over 1,000, CPU", steady["cpu_median"], 0.1, "s", "median of 10"),
        Line("worker, peak memory", ours["peak_mb"], 150, "MB", f"first sync of {MANY:,}"),
        Line("web, peak memory", many["peak_mb"], 150, "MB", f"list and poll at {MANY:,}"),
    ]


def listing_lines() -> list[Line]:
    """Orders, tabs, filters, searches and polls, on SQLite and on PostgreSQL where there is one."""
    lines = []
    for database, under in {"SQLite": (), "PostgreSQL": ("tests.postgres",)}.items():
        if figures := measure("listings", str(MANY), under=under):
            lines += [
                Line(
                    f"slowest order, tab or filter, {database}",
                    1000 * figures["list_p95"],
                    25,
                    "ms",
                    f"p95 of {figures['address']}; median of all {ms(figures['list_median'])}",
                ),
                Line(
                    f"search, {database}",
                    1000 * figures["search_p95"],
                    100,
                    "ms",
                    f"p95, never remembered; slowest {figures['search']}",
                ),
                Line(
                    f"poll with a changed card / page, {database}",
                    figures["poll_by_page"],
                    1.0,
                    "×",
                    f"median; {figures['poll_kb']:.1f} kB",
                ),
            ]
            if database == "SQLite":
                lines += [
                    Line("largest page of 50 cards", figures["page_kb"], 60, "kB", "uncompressed"),
                    Line("poll, for each changed card", figures["card_kb"], 1.5, "kB", ""),
                ]
        if figures := measure("failed_requests", under=under):
            lines.append(
                Line(
                    f"a batch's {MANY:,} failed requests, {database}",
                    1000 * figures["p95"],
                    100,
                    "ms",
                    f"p95 of {figures['address']}",
                )
            )
    return lines


def reading_lines() -> list[Line]:
    """Reading results: 100,000 lines, a twentieth of them failed, database writes included.

    A tenth of the lines list several passes.
    """
    with reading.results_served(200) as base_url:
        ours = measure("read_file", base_url)
        theirs = measure("sdk_results", base_url)
        bare = measure("bare_results", base_url)
    with reading.results_served(1000) as base_url:
        large = measure("read_file", base_url)
    assert ours["tokens"] == theirs["tokens"]
    mb = bare["received"] / 1e6
    return [
        Line(
            f"reading results, {mb:.0f} MB / SDK's loop",
            ours["seconds"] / theirs["seconds"],
            1 / 10,
            "×",
            f"{ours['seconds']:.2f} / {theirs['seconds']:.2f} s: "
            f"{theirs['seconds'] / ours['seconds']:.1f} times as fast",
        ),
        Line(
            "the same / a bare httpx read",
            ours["seconds"] / bare["seconds"],
            float("inf"),
            "×",
            f"{mb / ours['seconds']:.0f} / {mb / bare['seconds']:.0f} MB/s",
        ),
        Line(
            "reader, peak memory",
            max(ours["peak_mb"], large["peak_mb"]),
            100,
            "MB",
            f"{ours['peak_mb']:.0f} MB at {mb:.0f} MB, {large['peak_mb']:.0f} MB at 1 GB",
        ),
    ]


def spend_lines() -> list[Line]:
    """The spend page, on SQLite and on PostgreSQL where there is one."""
    found = {
        "SQLite": measure("spend", str(MANY)),
        "PostgreSQL": measure("spend", str(MANY), under=("tests.postgres",)),
    }
    return [
        Line(
            f"spend page by {grouping}, {database}",
            1000 * figures[f"{grouping}_p95"],
            300,
            "ms",
            f"p95 at {MANY:,} batches with usage; median {ms(figures[f'{grouping}_median'])}",
        )
        for database, figures in found.items()
        if figures
        for grouping in GROUPINGS
    ]


def api_lines() -> list[Line]:
    """The API's list, on SQLite and on PostgreSQL where there is one."""
    found = {
        "SQLite": measure("api", str(MANY)),
        "PostgreSQL": measure("api", str(MANY), under=("tests.postgres",)),
    }
    return [
        Line(
            f"API list, {database}",
            1000 * figures["p95"],
            30,
            "ms",
            f"p95 of the slowest of four at {MANY:,} batches; median {ms(figures['median'])}",
        )
        for database, figures in found.items()
        if figures
    ]


def work_lines() -> list[Line]:
    """The worker: cancels beside readers, and claims on PostgreSQL where there is one."""
    with api_served() as base_url:
        latency = measure("cancel_latency", base_url)
    claims = measure("claims_a_second", under=("tests.postgres",))
    found = [
        Line(
            "a due cancellation, until its call",
            latency["p95"],
            2,
            "s",
            f"p95 beside four readers; median {latency['median']:.2f} s",
        )
    ]
    if claims:
        found.append(
            Line(
                "claims by 8 workers on PostgreSQL",
                1000 / claims["claims"],
                10,
                "ms",
                f"each: {claims['claims']:,.0f} a second",
            )
        )
    return found


def main() -> int:
    """Exit code 1 when a promise was not kept."""
    results = lines() + listing_lines() + work_lines() + reading_lines() + spend_lines()
    results += api_lines()
    for line in results:
        mark = "ok " if line.is_kept else "NOT"
        bound = "" if line.at_most == float("inf") else f"≤ {line.at_most:g}"
        print(f"{mark} {line.what:<42}{line.measured:>9.2f} {line.unit:<5}{bound:<7} {line.detail}")
    path = ROOT / "var" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    report = [asdict(line) | {"is_kept": line.is_kept} for line in results]
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if all(line.is_kept for line in results) else 1


if __name__ == "__main__":
    sys.exit(main())
