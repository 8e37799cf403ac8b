"""Random lives, one after the other, until the contracts were called so many times.

Run it alone with `python -m stateful.campaign --calls 1000000 --seed 1` (from tests/, with client/ and tests/ on the
path); two seeds in two processes share the work.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from stateful.life import SETUPS, Life
from twin import Difference, fresh

STEPS = 400
PROGRESS_SECONDS = 30.0
# Of a violation's text; the log of a relay can be long.
PRINTED = 4_000


@dataclass
class Campaign:
    """What a campaign did."""

    seed: int
    calls: int = 0
    lives: int = 0
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        rate = self.calls / self.seconds if self.seconds else 0.0
        return (
            f"seed {self.seed}: {self.calls:,} contract calls in {self.lives} lives, {rate:.0f} a second, "
            f"{sum(self.counts[key] for key in self.counts if key.startswith('settled')):,} settlements, "
            f"{len(self.violations)} violations"
        )


def run(calls: int, seed: int, *, steps: int = STEPS, report: bool = False) -> Campaign:
    """Runs lives until so many contract calls were made.

    Args:
        steps: acts in a life.
        report: print the progress now and then.
    """
    campaign = Campaign(seed)
    began = reported = time.monotonic()
    while campaign.calls < calls:
        _live(campaign, random.Random(f"{seed}:{campaign.lives}"), steps)
        campaign.lives += 1
        now = time.monotonic()
        campaign.seconds = now - began
        if report and now - reported >= PROGRESS_SECONDS:
            reported = now
            print(campaign, flush=True)
    return campaign


def _live(campaign: Campaign, rng: random.Random, steps: int) -> None:
    with fresh(SETUPS[campaign.lives % len(SETUPS)]) as twin:
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
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=STEPS, help="acts in a life")
    options = parser.parse_args()
    campaign = run(options.calls, options.seed, steps=options.steps, report=True)
    for what, times in sorted(campaign.counts.items()):
        print(f"{times:>9,}  {what}")
    print(campaign)
    return 1 if campaign.violations else 0


if __name__ == "__main__":
    raise SystemExit(main())
