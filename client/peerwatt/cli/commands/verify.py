"""`peerwatt verify`: a proof file checked against a block's hash, without a node."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from peerwatt.cli import output
from peerwatt.cli.errors import INTERRUPTED, USAGE, UsageError, UserError, describe
from peerwatt.cli.options import Debug, Json, ending

if TYPE_CHECKING:
    from peerwatt.audit.evidence.file import ProofFile
    from peerwatt.audit.evidence.verifying import HashOf, Verification

INCOMPLETE = 3
# The table of docs/proof-file.md; a test compares them.
EXIT_CODES = {
    0: "every payment is proven against hashes from elsewhere",
    1: "something is violated: the file was changed, is of another block, or the payments do not follow",
    USAGE: "the command line makes no sense, or the file is no proof file",
    INCOMPLETE: "something is not proven, and it says what",
    INTERRUPTED: "interrupted",
}
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")

File = Annotated[Path, typer.Argument(metavar="FILE", help="Of `peerwatt audit --participant ACCOUNT --proof FILE`.")]
Hashes = Annotated[
    list[str] | None,
    typer.Option("--block-hash", metavar="HASH", help="Hash of the file's last block, from a source that you trust."),
]
Rpc = Annotated[
    str | None, typer.Option("--rpc", metavar="URL", help="Independent node to compare the block hashes with.")
]


def register(root: typer.Typer, panel: str) -> None:
    """Adds the command."""
    root.command(rich_help_panel=panel)(verify)


def verify(file: File, block_hash: Hashes = None, rpc: Rpc = None, json: Json = False, debug: Debug = False) -> None:
    """Check a proof file: every payment of one account, recomputed from what a block's hash proves. Works offline.

    Ends with 0 if all is proven, 1 if something is violated, 2 if the command makes no sense, 3 if something is not
    proven.
    """
    with ending(debug, describe_end):
        from peerwatt.audit.evidence.file import load
        from peerwatt.audit.evidence.verifying import verify as check

        for one in block_hash or ():
            if not _HASH.fullmatch(one):
                raise UsageError(f"--block-hash is {one!r}; give 0x and 64 hex digits")
        proof, wrong = load(file)
        if rpc is None:
            found = check(proof, wrong, block_hash or ())
        else:
            found = _ask_node(rpc, proof, wrong, block_hash or [])
        show(proof, found, json)
        if found.exit_code:
            raise typer.Exit(found.exit_code)


def describe_end(error: BaseException) -> tuple[int, str]:
    """Exit code and line of an error. Whatever was not foreseen is no verdict: it ends as incomplete."""
    from peerwatt.audit.evidence.file import BadFile
    from peerwatt.audit.failures import SourceError

    if isinstance(error, KeyboardInterrupt):
        return describe(error)
    if isinstance(error, UserError | BadFile):
        return USAGE, str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return USAGE, describe(error)[1]
    if isinstance(error, SourceError):
        return INCOMPLETE, f"nothing was proven: {error}"
    return INCOMPLETE, f"nothing was proven: {describe(error)[1]}"


def _ask_node(url: str, proof: ProofFile, wrong: list[str], hashes: list[str]) -> Verification:
    from peerwatt.audit.evidence.verifying import verify as check
    from peerwatt.audit.rpc import HttpTransport

    try:
        node = HttpTransport(url)
    except ValueError as error:
        raise UsageError(str(error)) from None
    with node:
        (chain_id,) = node.many([("eth_chainId", [])], 2)
        if not isinstance(chain_id, str) or int(chain_id, 16) != proof.deployment.chain_id:
            raise UsageError(
                f"{node.name} serves chain {chain_id}, the file is of chain {proof.deployment.chain_id}; name another"
            )

        def hash_of(number: int) -> str | None:
            (raw,) = node.many([("eth_getBlockByNumber", [hex(number), False])])
            return str(raw["hash"]) if isinstance(raw, dict) else None

        hash_of_: HashOf = hash_of
        return check(proof, wrong, hashes, hash_of_)


def show(proof: ProofFile, found: Verification, json: bool) -> None:
    """What was proven, as JSON or as text."""
    from peerwatt.audit.evidence.verifying import describe as to_data
    from peerwatt.audit.participant import to_dict

    story = found.story
    if json:
        data = {
            **to_data(found),
            "chain_id": proof.deployment.chain_id,
            "market": proof.deployment.market,
            "participant": None if story is None else to_dict(story),
        }
        typer.echo(output.to_json(data))
        return
    from peerwatt.cli.participant_text import describe_story

    if story is not None:
        typer.echo(f"{describe_story(story)}\n")
    typer.echo(output.facts(_facts(proof, found), indent="  "))
    for line in found.violations:
        typer.echo(f"  VIOLATED: {line}")
    for line in found.incomplete:
        typer.echo(f"  not proven: {line}")
    typer.echo(f"{EXIT_CODES[found.exit_code]}".capitalize())


def _facts(proof: ProofFile, found: Verification) -> list[tuple[str, object]]:
    deployment = proof.deployment
    code = {None: "not proven", True: "the shipped market with these parameters", False: "ANOTHER ONE"}[found.code]
    return [
        ("market", f"{deployment.market} on chain {deployment.chain_id}"),
        ("code", code),
        ("headers", f"{found.anchored} of {found.headers} lead to a hash from elsewhere"),
        ("transactions", f"{found.transactions} proven"),
        ("receipts", f"{found.receipts} proven"),
        ("signatures", f"{found.story.signatures if found.story else 0} recovered"),
        ("wallet", "proven" if found.wallet else "not proven"),
    ]
