"""Random lives, one after the other, until the contracts were called so many times.

Run it alone from tests/, with client/ and tests/ on the path:
`python -m stateful.campaign --calls 1000000 --seed 1 --jobs 2 --engine revm`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from stateful.life import SETUPS, Life
from twin import Difference, fresh
from twin.engines import ENGINES, fastest

STEPS = 400
PROGRESS_SECONDS = 30.0
# Of a violation's text; the log of a relay can be long.
PRINTED = 4_000


@dataclass
class Campaign:
    """What a campaign did. `seed` is the only one or the first of several."""

    seed: int
    jobs: int = 1
    calls: int = 0
    lives: int = 0
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        rate = self.calls / self.seconds if self.seconds else 0.0
        seeds = f"seed {self.seed}" if self.jobs == 1 else f"seeds {self.seed} to {self.seed + self.jobs - 1}"
        return (
            f"{seeds}: {self.calls:,} contract calls in {self.lives} lives, {rate:.0f} a second, "
            f"{sum(self.counts[key] for key in self.counts if key.startswith('settled')):,} settlements, "
            f"{len(self.violations)} violations"
        )


def run(calls: int, seed: int, *, steps: int = STEPS, report: bool = False, engine: str = "py-evm") -> Campaign:
    """Runs lives until so many contract calls were made.

    Args:
        steps: acts in a life.
        engine: what runs the contracts, one of `ENGINES`.
        report: print the progress now and then.
    """
    campaign = Campaign(seed)
    began = reported = time.monotonic()
    while campaign.calls < calls:
        _live(campaign, random.Random(f"{seed}:{campaign.lives}"), steps, engine)
        campaign.lives += 1
        now = time.monotonic()
        campaign.seconds = now - began
        if report and now - reported >= PROGRESS_SECONDS:
            reported = now
            print(campaign, flush=True)
    return campaign


def run_all(calls: int, seed: int, jobs: int, *, steps: int = STEPS, engine: str = "py-evm") -> Campaign:
    """Splits a campaign over processes, each with a seed of its own, and prints the progress.

    Args:
        seed: of the first process; the next ones count on.
        steps, engine: as of `run`.
    """
    share = partial(run, -(-calls // jobs), steps=steps, report=True, engine=engine)
    began = time.monotonic()
    # Not forked: a process that runs tests has threads and open files.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        parts = list(pool.map(share, range(seed, seed + jobs)))
    return add_up(parts, time.monotonic() - began)


def add_up(parts: Sequence[Campaign], seconds: float) -> Campaign:
    """What campaigns with seeds in a row did together, at the same time."""
    whole = Campaign(parts[0].seed, len(parts), seconds=seconds)
    for part in parts:
        whole.calls += part.calls
        whole.lives += part.lives
        whole.violations += part.violations
        whole.counts += part.counts
    return whole


def _live(campaign: Campaign, rng: random.Random, steps: int, engine: str) -> None:
    with fresh(SETUPS[campaign.lives % len(SETUPS)], engine=engine) as twin:
        life = Life(twin, rng)
        # Every third life ends with a book that nobody clears.
        end = steps * 9 // 10 if campaign.lives % 3 == 1 else steps
        try:
            for step in range(steps):
                if step == end:
                    life.check(life.abandon(), thorough=True)
                life.step()
            life.end()
        except Difference as difference:
            where = f"seed {campaign.seed}, life {campaign.lives}, step {life.steps}, {life.last_act}"
            campaign.violations.append(f"{where}: {difference}")
            print(campaign.violations[-1][:PRINTED], file=sys.stderr, flush=True)
        except Exception as error:
            error.add_note(f"seed {campaign.seed}, life {campaign.lives}, step {life.steps}")
            raise
        campaign.calls += twin.calls
        campaign.counts += life.tally()


def main() -> int:
    """Runs a campaign and prints what it reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000, help="of all processes together")
    parser.add_argument("--seed", type=int, default=1, help="of the first process")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--steps", type=int, default=STEPS, help="acts in a life")
    parser.add_argument("--engine", choices=ENGINES, default=fastest(), help="what runs the contracts")
    options = parser.parse_args()
    campaign = run_all(options.calls, options.seed, options.jobs, steps=options.steps, engine=options.engine)
    for what, times in sorted(campaign.counts.items()):
        print(f"{times:>9,}  {what}")
    print(campaign)
    return 1 if campaign.violations else 0


if __name__ == "__main__":
    raise SystemExit(main())
