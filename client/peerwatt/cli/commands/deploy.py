"""`peerwatt deploy`: a market on a chain, from a parameters file to a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from peerwatt.cli.options import command
from peerwatt.cli.session import Session
from peerwatt.cli.settings import MANIFEST

if TYPE_CHECKING:
    from peerwatt.market.senders import Sender


def register(root: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(root, asks=True, rich_help_panel=panel)(deploy)


def deploy(
    session: Session,
    parameters: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Parameters of the market (TOML); on local chains there are some already."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"Where the manifest goes; {MANIFEST} if nothing names one.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Deploy although there is a manifest; replace it.")] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Deploy nothing; publish what the market of the manifest lacks.")
    ] = False,
) -> None:
    """Deploy a market: contracts, first tariff, retail prices, feeders; writes the manifest."""
    from peerwatt.market.chains import is_local
    from peerwatt.market.deploying import Deployer
    from peerwatt.market.parameters import load_parameters

    # The file is read first: what is wrong in it is wrong on any chain.
    market = load_parameters(parameters)
    deployer = Deployer(session.w3, _find_sender(session), market, out or _manifest(session), say=session.say)
    if publish:
        gateway = deployer.open_market()
        acts = deployer.list_own_acts(gateway)
        if acts and not is_local(session.w3):
            session.say(f"publishing on chain {session.w3.eth.chain_id} as {deployer.sender.address}:")
            for act in acts:
                session.say(f"  {act.text}")
            session.confirm("Publish?")
        outcome = deployer.publish(gateway)
    else:
        prediction = deployer.check(again=again)
        text = f"deploying {market.source} on chain {session.w3.eth.chain_id} as {deployer.sender.address}"
        session.say(f"{text}: {prediction.costs}")
        if not is_local(session.w3):
            session.confirm("Deploy?")
        outcome = deployer.deploy(prediction)
    session.emit(outcome.to_json(), lambda: str(outcome))


def _manifest(session: Session) -> Path:
    named = session.settings.get("deployment").source != "default"
    return session.settings.path_of("deployment") if named else Path(MANIFEST)


def _find_sender(session: Session) -> Sender:
    """The key of `--account`; without one, the first account of a local node."""
    from peerwatt.market.chains import is_local
    from peerwatt.market.senders import NodeAccount

    if session.settings.get("account").source != "--account" and is_local(session.w3):
        accounts = session.w3.eth.accounts
        if accounts:
            return NodeAccount(accounts[0])
    return session.sender()
