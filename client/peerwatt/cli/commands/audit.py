"""`peerwatt audit`: the chain done again, and every promise checked."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from peerwatt.cli import output
from peerwatt.cli.errors import INTERRUPTED, NodeError, UsageError, UserError, describe
from peerwatt.cli.options import command
from peerwatt.cli.session import Session

if TYPE_CHECKING:
    from peerwatt.audit.audit import Audit, OnProgress
    from peerwatt.audit.checks import Check
    from peerwatt.audit.participant import ParticipantReport
    from peerwatt.audit.report import Report
    from peerwatt.audit.rpc import HttpTransport
    from peerwatt.audit.tables import ParquetTables
    from peerwatt.audit.transport import Transport
    from peerwatt.market.deployment import Deployment

HOLDS, VIOLATED, USAGE, INCOMPLETE = range(4)
# The table of docs/audit.md; a test compares them.
EXIT_CODES = {
    HOLDS: "all holds",
    VIOLATED: "something is violated; the first divergence says where",
    USAGE: "the command line, or a file that it names, makes no sense; nothing was audited",
    INCOMPLETE: "something could not be checked, and it says what",
    INTERRUPTED: "interrupted",
}
TAGS = ("latest", "finalized", "safe", "earliest")
PATIENCE_S = 2.0
# Where output goes to a file, lines are not folded before this.
FILE_WIDTH = 200

Nodes = Annotated[
    list[str] | None,
    typer.Option("--rpc", metavar="URL", help="JSON-RPC node; a second --rpc is compared with the first."),
]
Market = Annotated[
    str | None, typer.Option("--market", metavar="ADDRESS", help="Market without a manifest: read from the chain.")
]
Block = Annotated[
    str | None,
    typer.Option("--block", metavar="BLOCK", help="Number, hash or tag; the newest final block without it."),
]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the report as a page.")]
Participant = Annotated[
    str | None, typer.Option("--participant", metavar="ACCOUNT", help="Explain each payment of one account, too.")
]
Proof = Annotated[
    Path | None, typer.Option("--proof", metavar="FILE", help="Write a file that proves them, for peerwatt verify.")
]
Compile = Annotated[bool, typer.Option("--compile", help="Compile the contracts anew (needs the extra dev).")]
Sources = Annotated[Path, typer.Option("--sources", metavar="DIR", help="Folder of the contracts for --compile.")]
CheckpointFile = Annotated[
    Path | None, typer.Option("--checkpoint", metavar="FILE", help="Keep the state there, and go on from it.")
]
Parquet = Annotated[
    Path | None,
    typer.Option("--parquet", metavar="DIR", help="Write ledgers and events as Parquet files (needs the extra data)."),
]
Workers = Annotated[
    int | None, typer.Option("--workers", metavar="N", min=1, help="Processes that verify signatures; one a core.")
]


def register(root: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(root, keys=False, ends=describe_end, rich_help_panel=panel)(audit)


def audit(
    session: Session,
    rpc: Nodes = None,
    market: Market = None,
    block: Block = None,
    html: Html = None,
    participant: Participant = None,
    proof: Proof = None,
    compile: Compile = False,
    sources: Sources = Path("contracts"),
    checkpoint: CheckpointFile = None,
    workers: Workers = None,
    parquet: Parquet = None,
) -> None:
    """Prove every payment of a market: do the chain again, and compare all of it.

    Ends with 0 if all holds, 1 if something is violated, 2 if the command makes no sense, 3 if something could not be
    checked.
    """
    from peerwatt.audit.arenas import share_memory
    from peerwatt.audit.rpc import HttpTransport
    from peerwatt.audit.run import audit_market

    share_memory()
    last = read_block_name(block)
    account = read_address(participant, "--participant") if participant is not None else None
    if html is not None:
        check_target(html)
    if proof is not None:
        if account is None:
            raise UsageError("--proof proves the payments of one account; name it with --participant")
        check_target(proof)
    audits: list[Audit] = []
    also: tuple[Check, ...] = ()
    with ExitStack() as stack:
        transport, second = open_nodes(rpc or [session.settings.need("rpc")], stack)
        deployment = find_market(session, transport, market)
        if compile:
            also = (compile_sources(session, sources),)
        tables = stack.enter_context(open_tables(parquet, deployment)) if parquet is not None else None
        with watching(session) as progress:
            report = audit_market(
                transport,
                deployment,
                last,
                progress,
                workers=workers,
                second=second,
                manifest=market is None,
                also=also,
                checkpoint=checkpoint,
                ahead=isinstance(transport, HttpTransport),
                tables=tables,
                say=output.complain,
                then=audits.append,
            )
        own, code = None, report.exit_code
        if account is not None and audits:
            own, code = explain_participant(audits[0], account, report, proof)
    show(session, report, own)
    if html is not None:
        try:
            write_page(report, html)
        except OSError as error:
            # The verdict stands, and is what the exit code says if there is anything to say.
            output.complain(f"the page could not be written to {html}: {error.strerror}")
            code = code or USAGE
    if code:
        raise typer.Exit(code)


def describe_end(error: BaseException) -> tuple[int, str]:
    """Exit code and line of an error. Whatever was not foreseen is no verdict: it ends as incomplete."""
    from peerwatt.audit.checkpoint import CheckpointError
    from peerwatt.audit.compile import CannotCompile
    from peerwatt.audit.discovery import NoMarket
    from peerwatt.audit.failures import SourceError
    from peerwatt.extras import MissingExtra
    from peerwatt.market.deployment import ManifestError

    if isinstance(error, KeyboardInterrupt):
        return describe(error)
    if isinstance(error, NodeError | SourceError):
        return INCOMPLETE, f"nothing was audited: {error}"
    usage = (UserError, CheckpointError, CannotCompile, NoMarket, ManifestError, MissingExtra)
    if isinstance(error, usage):
        return USAGE, str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return USAGE, describe(error)[1]
    return INCOMPLETE, f"the audit is not complete, and proves nothing: {describe(error)[1]}"


# What the command line says


def read_block_name(text: str | None) -> int | str | None:
    """A block by its number, its hash or a tag.

    Raises:
        UsageError: none of them.
    """
    if text is None or text in TAGS:
        return text
    digits = text.removeprefix("0x")
    try:
        number = int(digits, 16) if text.startswith("0x") else int(digits)
    except ValueError:
        number = -1
    if number < 0 or not digits.isalnum():
        raise UsageError(f"{text!r} is no block; give its number, its hash, or one of {', '.join(TAGS)}")
    return text.lower() if text.startswith("0x") and len(digits) == 64 else number


def read_address(text: str, what: str) -> str:
    """An address with a right checksum, if it has any.

    Raises:
        UsageError: none.
    """
    from eth_utils.address import is_address, to_checksum_address

    if not is_address(text) or not text.startswith("0x"):
        raise UsageError(f"{what} is {text!r}, which is no address; give 0x and 40 hex digits, its checksum right")
    return str(to_checksum_address(text))


def check_target(path: Path) -> None:
    """Whether a file can be written there, before the work is done.

    Raises:
        UsageError: it is a folder, or is in none.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name the file to write")
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir():
        raise UsageError(f"{above} is no folder; name another place for {path.name}")


def open_nodes(urls: list[str], stack: ExitStack) -> tuple[Transport, Transport | None]:
    """One node, or two to compare.

    Raises:
        UsageError: no URLs, or too many.
    """
    if len(urls) > 2:
        raise UsageError(f"--rpc is given {len(urls)} times; two nodes can be compared")
    if len(set(urls)) < len(urls):
        raise UsageError("both --rpc name the same node, which always agrees with itself; name another one")
    nodes: list[Transport] = [stack.enter_context(open_node(url)) for url in urls]
    return nodes[0], nodes[1] if len(nodes) == 2 else None


def open_node(url: str) -> HttpTransport:
    """The way to a node."""
    from peerwatt.audit.rpc import HttpTransport

    try:
        return HttpTransport(url)
    except ValueError as error:
        raise UsageError(str(error)) from None


def open_tables(directory: Path, deployment: Deployment) -> ParquetTables:
    """The files that the audit's tables go to.

    Raises:
        MissingExtra: pyarrow is not installed.
        UsageError: the directory can't be made, or not be written to.
    """
    from peerwatt.audit.tables import ParquetTables

    try:
        return ParquetTables(directory, deployment)
    except OSError as error:
        raise UsageError(f"{directory} can't take the tables ({error.strerror}); name another --parquet") from error


def find_market(session: Session, transport: Transport, market: str | None) -> Deployment:
    """The market of the manifest, or of an address.

    Raises:
        UsageError: no manifest, both of them, or the node serves another chain.
        NodeError: nobody answers.
        NoMarket, SourceIncomplete: see `discover`.
    """
    from peerwatt.audit.discovery import discover
    from peerwatt.audit.failures import RpcFailed
    from peerwatt.market.deployment import Deployment

    if market is not None:
        if session.settings.get("deployment").source == "--deployment":
            raise UsageError("--market and --deployment name a market twice; give one of them")
        address = read_address(market, "--market")
    try:
        # A node that does not answer at all is not waited for as one that is busy.
        (chain_id,) = transport.many([("eth_chainId", [])], 2)
    except RpcFailed as error:
        raise NodeError(f"{error}; start the node, or name another one with --rpc") from error
    if market is not None:
        return discover(transport, address)
    path = session.settings.path_of("deployment")
    if not path.exists():
        raise UsageError(f"there is no manifest at {path}; name it with --deployment, or the market with --market")
    deployment = Deployment.load(path)
    for name, contract in deployment.contracts().items():
        read_address(str(contract), f"{name} in {path}")
    if isinstance(chain_id, str) and int(chain_id, 16) != deployment.chain_id:
        raise UsageError(
            f"{transport.name} serves chain {int(chain_id, 16)}, {path} is of chain {deployment.chain_id}; "
            "name the right node"
        )
    return deployment


def compile_sources(session: Session, sources: Path) -> Check:
    """Compiles the contracts anew."""
    from peerwatt.audit.compile import check_sources

    with session.waiting("compiling the contracts"):
        return check_sources(sources)


def explain_participant(
    audit: Audit, account: str, report: Report, proof: Path | None
) -> tuple[ParticipantReport | None, int]:
    """One account at the audited block, and the exit code that the audit has then."""
    from peerwatt.audit.failures import SourceError
    from peerwatt.audit.participant import explain, write_proof

    own = None
    try:
        own = explain(audit, account, report.block["hash"])
        if proof is not None:
            proof.parent.mkdir(parents=True, exist_ok=True)
            written = write_proof(own, audit.transport, proof)
            for missing in written["missing"]:
                output.complain(f"not in {proof}: {missing}")
            what = f"with the hash of block {report.block['number']} from elsewhere"
            output.complain(f"the proof is in {proof}; check it, {what}: peerwatt verify {proof} --block-hash HASH")
    except SourceError as error:
        output.complain(f"{account} is not {'proven' if own else 'explained'}: {error}")
        return own, report.exit_code or INCOMPLETE
    except OSError as error:
        output.complain(f"the proof could not be written to {proof}: {error.strerror}")
        return own, report.exit_code or USAGE
    return own, report.exit_code if own.holds else VIOLATED


# What it says


@contextmanager
def watching(session: Session) -> Iterator[OnProgress | None]:
    """A bar on the terminal for what takes longer than a moment."""
    if session.json or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from peerwatt.audit.audit import Progress as Place

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("asking the node", total=None)
    timer = threading.Timer(PATIENCE_S, bar.start)
    timer.daemon = True

    def tell(place: Place) -> None:
        what = f"{place.stage}, block {place.block} of {place.last}"
        bar.update(task, description=what, completed=place.block - place.first, total=place.last - place.first)

    timer.start()
    try:
        yield tell
    finally:
        timer.cancel()
        timer.join()
        bar.stop()


def show(session: Session, report: Report, own: ParticipantReport | None) -> None:
    """The report, as JSON or as text."""
    if session.json:
        data = {**report.to_dict(), "digest": report.digest}
        if own is not None:
            data["participant"] = own.to_dict()
        typer.echo(output.to_json(data))
        return
    from rich.console import Console

    from peerwatt.audit.verdict import render_verdict
    from peerwatt.audit.verdict.words import money_of
    from peerwatt.cli.participant_text import describe_story

    if sys.stdout.isatty():
        Console(highlight=False).print(render_verdict(report))
    else:
        console = Console(width=FILE_WIDTH, highlight=False, color_system=None)
        with console.capture() as captured:
            console.print(render_verdict(report))
        typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
    if own is not None:
        typer.echo(f"{describe_story(own.story, money_of(report))}\n")
        for line in own.story.violations:
            typer.echo(f"  VIOLATED: {line}")


def write_page(report: Report, path: Path) -> None:
    """Writes the page; a folder that is missing is made."""
    from peerwatt.audit.verdict import render_page

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(report), encoding="utf-8", newline="\n")
    output.complain(f"the report is in {path}")
