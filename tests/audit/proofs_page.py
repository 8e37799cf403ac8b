"""Writes docs/audit-proofs.md from the tables of the tests: `PYTHONPATH=client:tests python -m audit.proofs_page`."""

from __future__ import annotations

from pathlib import Path

from audit.lies import LIES
from audit.mistakes_in_money import IN_MONEY
from audit.mistakes_in_trading import IN_TRADING
from audit.mutants import Mutant
from audit.tampering import REPLAY, Tampering

MUTANTS = (*IN_MONEY, *IN_TRADING)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "audit-proofs.md"
EXITS = {0: "holds, 0", 1: "violated, 1", 3: "incomplete, 3"}
HEAD = """# What an audit catches

The auditor itself is tested: it must find each mistake and each lie below, at the right place, and it must raise no
alarm about an honest market. This page is written from the tables of the tests, and a test holds it equal to them:
`PYTHONPATH=client:tests python -m audit.proofs_page`.

```
pytest -p no:ape_test tests/audit/test_mutants.py          # markets with a mistake
pytest -p no:ape_test tests/audit/test_lies.py             # nodes that lie, forged manifests
pytest -p no:ape_test tests/audit/test_tampered_chains.py  # storage written by hand, two nodes, chains that change
pytest -p no:ape_test tests/audit/test_honest_chains.py    # honest markets
```
"""
MISTAKES = """
## Markets with a mistake

Each one is the shipped sources with one small change, compiled, deployed, and put through the same script of acts and
attempts (`tests/audit/script.py`). That its code is not the shipped one is found each time; the table says what finds
the mistake without a look at the code. "Replay" is the first log of the whole script that differs from the honest
market's: the test compares block, transaction, log index, and what was expected and found in words. Those marked * are
tried by `make fuzz` only: their like is always tried.
"""
LIED = """
## Nodes that lie, and forged manifests

The market is honest; what a node says of it, or the manifest, is not. "Source" means that the answers contradict each
other, the manifest or the chain's hashes, so that there is no one history to be replayed.
"""
REST = """
## Tampered chains

| What | Verdict |
|---|---|
| a balance written into the storage after the last act | violated: `storage`, with view and amount |
| a balance written between two acts | violated: the next log that tells the balance |
| the market's code replaced | violated: `code_is_the_manifests`, `code_is_shipped` |
| a second node that changes a log | violated: `two_nodes`, and the node that is proven wrong by the block's receipts |
| a lie told everywhere: logs, balances and tokens fit each other | violated with a second node |
| the chain changes while it is audited | audits the chain that stays |
| the same, and the block was named by its hash | incomplete, 3 |
| the history ends before the named block | incomplete, 3 |

## Honest markets

Random lives with orders, agents, reports, shortfalls, defaults, revocations, tariffs and roles, in four sets of
parameters and several sizes, hold: no check alarms. Where calls come through another contract (wallets, relayers, an
operator that is a contract) and the node gives no traces, the audit is incomplete (3): signatures and senders are
unchecked, all else holds. With traces all of it holds. `make fuzz SIZE=n` makes more of them.

## What one node alone can hide

A node that leaves out a transaction and changes every balance, token and log that would show it tells a history without
a contradiction. A block without logs of the market is not asked for. A second `--rpc` finds it.
"""


def page() -> str:
    """The page."""
    mistakes = "\n".join(f"| {one.name}{' *' if one.rare else ''} | {_caught(one)} |" for one in MUTANTS)
    lies = "\n".join(f"| {one.name} | {_found(one)} | {EXITS[one.exit_code]} |" for one in LIES)
    return (
        f"{HEAD}{MISTAKES}\n| The market... | Caught by | Where |\n|---|---|---|\n{mistakes}\n"
        f"{LIED}\n| The lie | Caught by | Verdict |\n|---|---|---|\n{lies}\n{REST}"
    )


def _caught(mutant: Mutant) -> str:
    if mutant.check != REPLAY:
        return f"`{mutant.check}` | {mutant.act}"
    if not mutant.log:
        return f'replay: must refuse, "{mutant.finds}" | {mutant.act}'
    fields = f": {', '.join(f'`{field}`' for field in mutant.differs)}" if mutant.differs else ""
    return f"replay: `{mutant.log}`{fields} | {mutant.act}"


def _found(lie: Tampering) -> str:
    if lie.exit_code == 0:
        return "asks for less"
    return {REPLAY: "replay", "": "source"}.get(lie.check, f"`{lie.check}`")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
