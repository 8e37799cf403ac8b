"""`ape run deploy`: deploys a market as `peerwatt deploy` does, with ape's networks and accounts.

The parameters, the checks and the steps are those of the package; here only ape signs and sends.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from ape import accounts, networks
from ape.cli import ConnectedProviderCommand, account_option, network_option
from eth_typing import ChecksumAddress
from hexbytes import HexBytes
from web3 import Web3
from web3.types import TxParams

from peerwatt.market.chains import is_local
from peerwatt.market.deploy_checks import DeploymentRefused, WrongChain
from peerwatt.market.deploying import Deployer, DeploymentFailed, Outcome
from peerwatt.market.deployment import ManifestError
from peerwatt.market.parameters import ParametersError, load_parameters
from peerwatt.market.senders import Sender


class ApeAccount:
    """A sender whose transactions an account of ape signs and ape's provider sends."""

    def __init__(self, account: Any) -> None:
        self._account = account

    @property
    def address(self) -> ChecksumAddress:
        return Web3.to_checksum_address(self._account.address)

    def send(self, w3: Web3, transaction: TxParams) -> HexBytes:
        # ape would ask for the money of the whole limit.
        estimated = w3.eth.estimate_gas({**transaction, "from": self.address}) * 6 // 5
        limit = min(transaction.get("gas", estimated), estimated)
        fields = {key: value for key, value in transaction.items() if key != "gas"}
        ecosystem = networks.provider.network.ecosystem
        call = ecosystem.create_transaction(**fields, gas_limit=limit, sender=self.address)
        return HexBytes(self._account.call(call).txn_hash)


def ends_with_the_run() -> bool:
    """Whether ape made the chain itself: its built-in one, or a node that it started."""
    return networks.provider.name == "test" or getattr(networks.provider, "process", None) is not None


def find_account(address: str) -> Sender | None:
    """The account of ape with this address, if it has one."""
    try:
        return ApeAccount(accounts[address])
    except KeyError:
        return None


def deploy(
    account: Any, manifest: Path, *, parameters: Path | None = None, again: bool = False, publish: bool = False
) -> Outcome:
    """Deploys on the chain that ape is connected to; the options are those of the command.

    Raises:
        click.ClickException: it is refused, or failed; the message says why.
    """
    w3 = networks.provider.web3
    if account is None:
        if not is_local(w3):
            raise click.UsageError("no account pays on this chain; name one of `ape accounts list` with --account")
        account = accounts.test_accounts[0]
    try:
        market = load_parameters(parameters)
        sender = ApeAccount(account)
        deployer = Deployer(w3, sender, market, manifest, find_sender=find_account, say=click.echo)
        if publish:
            return deployer.publish(deployer.open_market())
        prediction = deployer.check(again=again)
        click.echo(f"deploying {market.source} on chain {w3.eth.chain_id} as {sender.address}: {prediction.costs}")
        return deployer.deploy(prediction)
    except (ParametersError, WrongChain, DeploymentRefused, DeploymentFailed, ManifestError) as error:
        raise click.ClickException(str(error)) from error


@click.command(cls=ConnectedProviderCommand)
@network_option()
@account_option(prompt=False)
@click.option("--parameters", type=click.Path(path_type=Path), help="Parameters of the market (TOML).")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where the manifest goes; deployment.json, and nowhere where the chain ends with the run.",
)
@click.option("--again", is_flag=True, help="Deploy although there is a manifest; replace it.")
@click.option("--publish", is_flag=True, help="Deploy nothing; publish what the market of the manifest lacks.")
def cli(account: Any, parameters: Path | None, out: Path | None, again: bool, publish: bool) -> None:
    """Deploy a market: contracts, first tariff, retail prices, feeders; writes the manifest."""
    with TemporaryDirectory() as folder:
        passing = out is None and ends_with_the_run()
        manifest = Path(folder) / "deployment.json" if passing else out or Path("deployment.json")
        click.echo(deploy(account, manifest, parameters=parameters, again=again, publish=publish))
    if passing:
        click.echo("this chain ends with the run, and so does its manifest; --out FILE keeps it")
