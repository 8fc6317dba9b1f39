"""Runs every measurement, prints a table of ratios and writes it to var/bench.json."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.listing import served

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


def measure(name: str, *arguments: str) -> dict[str, float]:
    """One measurement in a fresh process, as the others would leave their caches behind."""
    print(f"  {name} {' '.join(arguments)} …", file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.measure", name, *arguments],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.bench.settings"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


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
            "the same, its counts never remembered",
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
            1.0,
            "×",
            f"{ours['seconds']:.1f} s / {theirs['seconds']:.1f} s",
        ),
        Line("steady round over 1,000, writes", steady["row_writes"], 0, "rows", ""),
        Line("steady round over 1,000, CPU", steady["cpu_median"], 0.1, "s", "median of 10"),
        Line("mirror, peak memory", ours["peak_mb"], 150, "MB", f"first sync of {MANY:,}"),
        Line("web, peak memory", many["peak_mb"], 150, "MB", f"list and poll at {MANY:,}"),
    ]


def main() -> int:
    """Exit code 1 when a promise was not kept."""
    results = lines()
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
