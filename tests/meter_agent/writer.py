"""A journal and its meter; as a program, one that writes until it is killed:

python -m meter_agent.writer journal.sqlite 3
"""

from __future__ import annotations

import sys
from pathlib import Path

from eth_account import Account

from meter_agent.fake_bridge import DOMAIN
from peerwatt.meter.agent.journal import Journal
from peerwatt.signing import SELL, Report, Signature, sign

KEY = Account.from_key("0x" + "17" * 32)


def sign_report(report: Report) -> Signature:
    return sign(report, DOMAIN, bytes(KEY.key))


def open_journal(path: Path) -> Journal:
    journal = Journal(path, KEY.address)
    journal.bind(DOMAIN, 900)
    return journal


def write_on(path: Path, growth_wh: int) -> None:
    """Writes boundaries as fast as it can, and says each report that it signed: its digest, then its registers."""
    journal = open_journal(path)
    window, register_wh = journal.last_boundary(SELL) or (1000, 5000)
    while True:
        window, register_wh = window + 1, register_wh + growth_wh
        for kept in journal.record(SELL, window, register_wh, float(window), sign_report):
            print(kept.digest, *kept.signed.report.registers, flush=True)


if __name__ == "__main__":
    write_on(Path(sys.argv[1]), int(sys.argv[2]))
