"""A deployment from a parameters file, from the checks to the manifest: `peerwatt deploy` and `ape run deploy`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from web3 import Web3

from peerwatt.market.chains import is_local
from peerwatt.market.deploy_checks import (
    DeploymentRefused,
    FindSender,
    Prediction,
    check_chain,
    check_manifest,
    predict,
)
from peerwatt.market.deployment import Deployment, deploy_market
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.ledger import Ledger
from peerwatt.market.parameters import Parameters
from peerwatt.market.publication import ROLE_NAMES, Act, get_holder, group_by_role, list_missing
from peerwatt.market.senders import NodeAccount, Sender
from peerwatt.market.verification import verify

LOST = "the node does not answer any more, so that what was sent last may still be mined"
Say = Callable[[str], None]


class DeploymentFailed(RuntimeError):
    """Something was sent, and not all went well. The message says what is there, what it cost, and what to do.

    Attributes:
        ledger: what was sent.
    """

    def __init__(self, message: str, ledger: Ledger) -> None:
        super().__init__(message)
        self.ledger = ledger


@dataclass(frozen=True)
class Outcome:
    """A market that is deployed.

    Attributes:
        left: acts that somebody else has to make.
    """

    gateway: MarketGateway
    parameters: Parameters
    manifest: Path
    ledger: Ledger
    left: list[Act]

    def to_json(self) -> dict[str, Any]:
        """Stable fields for scripts."""
        return {
            "chain_id": self.gateway.deployment.chain_id,
            **{name: str(getattr(self.gateway.deployment, name)) for name in ("market", "registry", "lens", "token")},
            "manifest": str(self.manifest),
            "spent": self.ledger.to_json(),
            "left": [act.to_json(self.gateway) for act in self.left],
        }

    def __str__(self) -> str:
        deployment = self.gateway.deployment
        lines = [
            f"market at {deployment.market} on chain {deployment.chain_id}; manifest {self.manifest}",
            f"spent {self.ledger.costs}" if self.ledger.entries else "nothing was sent",
        ]
        for role, acts in group_by_role(self.left):
            lines.append(f"The {ROLE_NAMES[role]} ({get_holder(self.gateway, role)}) still has to:")
            lines += [f"  {act.text}" for act in acts]
        if self.left:
            flags = f"--publish{_flag(self.parameters)} --out {self.manifest}"
            lines.append(f"with the same command, the key of that role and: {flags}")
            lines.append("or with any wallet: peerwatt deploy --publish --json prints each call's address and data")
        return "\n".join(lines)


class Deployer:
    """One deployment on one chain."""

    def __init__(
        self,
        w3: Web3,
        sender: Sender,
        parameters: Parameters,
        manifest: Path,
        *,
        find_sender: FindSender | None = None,
        say: Say = print,
    ) -> None:
        """
        Args:
            sender: deploys, and is the minter of a local token.
            find_sender: who else can send from here; `find_local_sender` of the sender if None.
            say: gets a line for each thing that was done.
        """
        self.w3 = w3
        self.sender = sender
        self.parameters = parameters
        self.manifest = manifest
        self._find_sender = find_sender or find_local_sender(w3, sender)
        self._say = say
        self._ledger = Ledger()

    def check(self, *, again: bool = False) -> Prediction:
        """Everything that can be known before something is sent.

        Args:
            again: deploy although there is a manifest; it is replaced, and kept under another name.
        Raises:
            WrongChain: the node serves another chain.
            DeploymentRefused: it is deployed already, or would fail.
        """
        check_chain(self.w3, self.parameters)
        check_manifest(self.w3, self.manifest, again=again)
        return predict(self.w3, self.sender, self.parameters, self._find_sender)

    def deploy(self, prediction: Prediction) -> Outcome:
        """Deploys, verifies, writes the manifest, and publishes what can be published from here.

        Raises:
            DeploymentFailed: it did not get through.
        """
        token = self.parameters.token
        try:
            deployment = deploy_market(
                self.w3,
                self.sender,
                self.parameters.numbers,
                prediction.roles,
                token=token.address,
                currency=token.symbol,
                decimals=token.decimals,
                token_name=token.name,
                meter_classes=self.parameters.meter_classes,
                predecessor=self.parameters.predecessor,
                on_deployed=lambda name, receipt: self._say(f"  {self._ledger.note(name, receipt)}"),
            )
            gateway = MarketGateway(self.w3, deployment)
            verify(gateway, meter_classes=self.parameters.meter_classes, predecessor=self.parameters.predecessor)
        except Exception as error:
            raise self._fail(error, "a part of a market is of no use; deploy again when that is mended") from error
        self._say("  verified: code, immutables, roles, parameters")
        self._save(deployment)
        return self.publish(gateway)

    def open_market(self) -> MarketGateway:
        """The market that the manifest names.

        Raises:
            WrongChain: the node serves another chain.
            ManifestError: no manifest, or of another chain.
            DeploymentRefused: the market has other numbers than the file.
        """
        check_chain(self.w3, self.parameters)
        deployment = Deployment.load(self.manifest)
        deployment.check(self.w3)
        theirs, ours = vars(deployment.parameters), vars(self.parameters.numbers)
        differing = [f"{name} {ours[name]}, not {theirs[name]}" for name in ours if ours[name] != theirs[name]]
        if differing:
            text = f"{self.parameters.source} is of another market than {self.manifest}: {', '.join(differing)}"
            raise DeploymentRefused([f"{text}; name the file that it was deployed with"])
        return MarketGateway(self.w3, deployment)

    def list_own_acts(self, gateway: MarketGateway) -> list[Act]:
        """What `publish` would send from here."""
        acts = group_by_role(list_missing(gateway, self.parameters))
        return [act for role, own in acts if self._find_sender(get_holder(gateway, role)) for act in own]

    def publish(self, gateway: MarketGateway) -> Outcome:
        """Publishes what the market lacks, as far as it can be done from here.

        Raises:
            DeploymentFailed: it did not get through.
        """
        left: list[Act] = []
        try:
            for role, acts in group_by_role(list_missing(gateway, self.parameters)):
                sender = self._find_sender(get_holder(gateway, role))
                if sender is None:
                    left += acts
                    continue
                for act in acts:
                    receipt = gateway.act(sender, act.bind(gateway))
                    self._say(f"  {self._ledger.note(act.text, receipt)}")
        except Exception as error:
            advice = f"finish it with --publish{_flag(self.parameters)} --out {self.manifest}"
            raise self._fail(error, f"the market is complete and its manifest is {self.manifest}; {advice}") from error
        return Outcome(gateway, self.parameters, self.manifest, self._ledger, left)

    def _save(self, deployment: Deployment) -> None:
        try:
            if self.manifest.exists():
                kept = self.manifest.with_name(f"{self.manifest.name}.{Deployment.load(self.manifest).market[:10]}")
                kept.write_bytes(self.manifest.read_bytes())
                self._say(f"  the manifest of the market before is kept as {kept}")
            deployment.save(self.manifest)
        except OSError as error:
            text = f"keep this text as the manifest and finish with --publish:\n{deployment.to_json()}"
            raise self._fail(error, text) from error

    def _fail(self, error: Exception, advice: str) -> DeploymentFailed:
        # Errors of the connection are errors of the operating system, with words that help nobody.
        lost = isinstance(error, OSError) and error.filename is None
        cause = LOST if lost else " ".join(str(error).split())
        if not self._ledger.entries:
            return DeploymentFailed(f"stopped before anything was mined: {cause}; {advice}", self._ledger)
        done = ", ".join(map(str, self._ledger.entries))
        return DeploymentFailed(f"stopped after {done} ({self._ledger.costs}): {cause}; {advice}", self._ledger)


def find_local_sender(w3: Web3, own: Sender) -> FindSender:
    """Finds the own sender by its address, and on a local chain the accounts that the node holds unlocked."""
    unlocked = {str(account) for account in w3.eth.accounts} if is_local(w3) else set()

    def find(address: str) -> Sender | None:
        if address == own.address:
            return own
        return NodeAccount(address) if address in unlocked else None

    return find


def _flag(parameters: Parameters) -> str:
    return "" if parameters.is_shipped else f" --parameters {parameters.source}"
