"""One run of a command: settings, chain, market, key, and how it speaks. Everything is made when first used."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from peerwatt.cli import output
from peerwatt.cli.errors import ConfigurationError, NodeError, NoKey, NotConfirmed, RefusedError
from peerwatt.cli.settings import Settings, how_to_set

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount
    from web3 import Web3

    from peerwatt.bridge import BridgeClient
    from peerwatt.market.clock import MarketClock
    from peerwatt.market.deployment import Deployment
    from peerwatt.market.gateway import MarketGateway
    from peerwatt.market.senders import Sender
    from peerwatt.signing import Domain
    from peerwatt.units import PriceGrid
    from peerwatt.wallet.keystores import Keystore

TIMEOUT_S = 30


def connect(url: str) -> Web3:
    """A web3 for a node.

    Raises:
        NodeError: no URL, or nobody answers there.
    """
    from web3 import HTTPProvider, Web3

    if not url.startswith(("http://", "https://")):
        raise NodeError(f"{url!r} is no address of a node; give one like http://127.0.0.1:8545")
    w3 = Web3(HTTPProvider(url, request_kwargs={"timeout": TIMEOUT_S}))
    if not w3.is_connected():
        raise NodeError(f"nobody answers at {url}; start a chain with: peerwatt node, or {how_to_set('rpc')}")
    return w3


def foundry_keystores() -> Path:
    """Where Foundry keeps its keystores."""
    return Path(os.environ.get("FOUNDRY_DIR") or Path.home() / ".foundry") / "keystores"


class Session:
    """What a command works with.

    Attributes:
        settings: where things are.
        json: print JSON and nothing else on stdout.
        assume_yes: confirm without asking.
    """

    def __init__(self, settings: Settings, *, json: bool = False, assume_yes: bool = False) -> None:
        self.settings = settings
        self.json = json
        self.assume_yes = assume_yes
        self._signer: LocalAccount | None = None

    # Chain and market

    @cached_property
    def w3(self) -> Web3:
        """The node."""
        return connect(self.settings.need("rpc"))

    @cached_property
    def deployment(self) -> Deployment:
        """The market's manifest, compared with the chain.

        Raises:
            ManifestError: none, no manifest, or of another chain.
        """
        from peerwatt.market.deployment import Deployment

        path = self.settings.path_of("deployment")
        if not path.exists():
            raise ConfigurationError(
                f"there is no manifest at {path}; {how_to_set('deployment')}, or deploy a market with: peerwatt deploy"
            )
        deployment = Deployment.load(path)
        deployment.check(self.w3)
        return deployment

    @cached_property
    def gateway(self) -> MarketGateway:
        """The market."""
        from peerwatt.market.gateway import MarketGateway

        return MarketGateway(self.w3, self.deployment)

    @cached_property
    def bridge(self) -> BridgeClient | None:
        """The bridge that sends and pays, None to go to the chain directly.

        Raises:
            ConfigurationError: no URL.
        """
        from peerwatt.bridge import BridgeClient

        url = self.settings["bridge"]
        if url is None or url in ("", "none"):
            return None
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(f"{url!r} is no address of a bridge; give one like http://127.0.0.1:8750, or none")
        return BridgeClient(url)

    @cached_property
    def domain(self) -> Domain:
        """Where signatures count."""
        from peerwatt.signing import Domain

        return Domain(self.deployment.chain_id, self.deployment.market)

    @cached_property
    def grid(self) -> PriceGrid:
        """The market's prices and money."""
        return self.gateway.price_grid()

    @property
    def clock(self) -> MarketClock:
        """The market's windows at this moment."""
        from peerwatt.market.clock import MarketClock, get_chain_time_s, parse_zone

        parameters = self.deployment.parameters
        zone = parse_zone(self.settings["time_zone"])
        return MarketClock(
            parameters.window_seconds, parameters.lead_seconds, get_chain_time_s(self.w3), zone
        )

    # Keys

    @property
    def key_folders(self) -> list[Path]:
        """Where keys are looked for: the own folder first, then Foundry's."""
        return [self.settings.path_of("keystore"), foundry_keystores()]

    @cached_property
    def keystore(self) -> Keystore:
        """The keystore of `--account`, still locked.

        Raises:
            KeystoreError: none, or several.
        """
        from peerwatt.wallet import keystores

        path = self.settings.path_of("keystore")
        return (
            keystores.Keystore.open(path)
            if path.is_file()
            else keystores.find(self.key_folders, self.settings["account"])
        )

    @cached_property
    def address(self) -> str:
        """The account to read about or to act with: of `--account 0x...`, else of its keystore."""
        from eth_utils.address import is_hex_address, to_checksum_address

        account = self.settings["account"]
        if account is not None and is_hex_address(account):
            return str(to_checksum_address(account))
        return self.keystore.address or self.signer().address

    def resolve(self, text: str) -> str:
        """The address that somebody means: written out, or of one of the keys by its name.

        Raises:
            BadMessage: no address, or one with a wrong checksum.
            KeystoreError: no such key, or its file does not say the address.
        """
        from peerwatt.signing.kinds import check_address
        from peerwatt.wallet import keystores

        keystores.refuse_raw_key(text)
        if text.lower().startswith("0x"):
            return check_address(text, "the address")
        keystore = keystores.find(self.key_folders, text)
        if keystore.address is None:
            raise keystores.KeystoreError(f"{keystore.path} does not say its address; give the address itself")
        return keystore.address

    def signer(self) -> LocalAccount:
        """The key of `--account`, unlocked; asks for the password once.

        Raises:
            KeystoreError: no key, wrong password, damaged file.
            NoKey: the keystore found is not that of the address.
        """
        from eth_utils.address import is_hex_address, to_checksum_address

        if self._signer is None:
            signer = self.unlock(self.keystore)
            account = self.settings["account"]
            # What was said of `--account 0x...` must not be signed by another key.
            if account is not None and is_hex_address(account) and signer.address != to_checksum_address(account):
                raise NoKey(f"{self.keystore.path} holds the key of {signer.address}, not of {account}; name its file")
            self._signer = signer
        return self._signer

    def unlock(self, keystore: Keystore, password_file: Path | None = None) -> LocalAccount:
        """Any key, unlocked.

        Args:
            password_file: of this very key, where it is not the one of the settings.
        """
        if keystore.readable_by_others():
            output.complain(f"others can read {keystore.path}; run: chmod 600 {keystore.path}")
        password = self.read_password(f"Password of {keystore.name}", path=password_file)
        with self.waiting("opening the keystore"):
            return keystore.unlock(password)

    def read_password(self, prompt: str, *, confirm: bool = False, path: Path | None = None) -> str:
        """A password, from its file or hidden from the terminal.

        Args:
            path: of its file; that of the settings without it.
            confirm: ask twice, for a new one.
        Raises:
            NoKey: nobody to ask, or the two differ.
        """
        if path is None and self.settings["password_file"] is not None:
            path = self.settings.path_of("password_file")
        if path is not None:
            try:
                return path.read_text(encoding="utf-8").rstrip("\r\n")
            except OSError as error:
                raise NoKey(f"the password file {path} cannot be read ({error.strerror}); name another") from None
            except UnicodeDecodeError:
                # The error's text would show a part of it.
                raise NoKey(f"the password file {path} is not UTF-8 text; name another") from None
        if not sys.stdin.isatty():
            raise NoKey(f"nobody is here to type the password; {how_to_set('password_file')}")
        password = self.ask_hidden(f"{prompt}: ")
        if confirm and self.ask_hidden("The same again: ") != password:
            raise NoKey("the two passwords differ; nothing was written, try again")
        return password

    def ask_hidden(self, prompt: str) -> str:
        """What somebody types without showing it.

        Raises:
            NoKey: the terminal was closed instead.
        """
        try:
            return getpass.getpass(prompt)
        except EOFError:
            typer.echo(err=True)
            raise NoKey("nothing was typed; try again") from None

    def sender(self, role: str | None = None) -> Sender:
        """Who signs and pays a transaction: the key of `--account`; without it, a role that the node holds unlocked.

        Args:
            role: address of the role that must act, such as the operator; None for anyone.
        Raises:
            KeystoreError: no key.
            RefusedError: the key is not the role's.
        """
        from peerwatt.market.senders import KeyAccount, NodeAccount

        if role is not None and self.settings.get("account").source != "--account" and self.is_unlocked(role):
            return NodeAccount(role)
        sender = KeyAccount(self.signer())
        if role is not None and sender.address != role:
            raise RefusedError(
                f"only {role} may do this, and --account is {sender.address}; name the role's key with --account"
            )
        return sender

    def is_unlocked(self, address: str) -> bool:
        """Whether the node holds an account unlocked, as local chains do."""
        try:
            return address in self.w3.eth.accounts
        except Exception:
            # Public nodes refuse the method.
            return False

    # Speaking

    def emit(self, data: Any, text: str | Callable[[], str]) -> None:
        """The result: as JSON with `--json`, else as text."""
        typer.echo(output.to_json(data) if self.json else text if isinstance(text, str) else text())

    def say(self, text: str) -> None:
        """A line for people; on stderr with `--json`."""
        typer.echo(text, err=self.json)

    def confirm(self, question: str) -> None:
        """Asks before something is signed or sent; an answer may also be piped in.

        Raises:
            NotConfirmed: the answer is no, or nobody is there to answer.
        """
        if self.assume_yes:
            return
        typer.echo(f"{question} [y/N] ", nl=False, err=self.json)
        answer = sys.stdin.readline()
        if not answer:
            typer.echo(err=self.json)
            raise NotConfirmed("nobody is here to confirm; nothing was sent, add --yes if you mean it")
        if answer.strip().lower() not in ("y", "yes"):
            raise NotConfirmed("not confirmed; nothing was sent")

    def ask(self, question: str) -> str:
        """A line from the person at the keyboard; empty where nobody answers.

        Args:
            question: ends where the answer is typed.
        """
        if self.assume_yes:
            return ""
        typer.echo(question, nl=False, err=self.json)
        answer = sys.stdin.readline()
        if not answer:
            typer.echo(err=self.json)
        return answer.strip()

    def waiting(self, text: str) -> AbstractContextManager[None]:
        """Says on the terminal what takes long."""
        return output.waiting(text, quiet=self.json)

