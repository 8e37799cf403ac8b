"""One market on one chain: its acts as methods, its words as values, its refusals as exceptions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from web3 import Web3
from web3.exceptions import BadFunctionCallOutput, ContractLogicError
from web3.types import TxReceipt

from peerwatt import artifacts
from peerwatt.market import words
from peerwatt.market.deployment import Deployment
from peerwatt.market.events import Event, decode_logs
from peerwatt.market.senders import Sender
from peerwatt.market.transactions import explain, send_and_wait
from peerwatt.signing import TokenDomain
from peerwatt.units import PriceGrid

# A relay may use up to a transaction's limit of 2^24 gas (EIP-7825).
MAX_TRANSACTION_GAS = 2**24
# Words that one relay takes.
MAX_RELAY_WORDS = 1024


class MarketGateway:
    """The market, its registry and its token behind one JSON-RPC node.

    Reading methods return decoded words; acting methods send a transaction, wait for it and return the receipt.
    Every refusal of a contract is raised as its own `MarketError`.
    """

    def __init__(self, w3: Web3, deployment: Deployment) -> None:
        self.w3 = w3
        self.deployment = deployment
        self.market = w3.eth.contract(address=deployment.market, abi=artifacts.load("EnergyMarket").abi)
        self.registry = w3.eth.contract(address=deployment.registry, abi=artifacts.load("EnergyRegistry").abi)
        self.lens = w3.eth.contract(address=deployment.lens, abi=artifacts.load("MarketLens").abi)
        self.token = w3.eth.contract(address=deployment.token, abi=artifacts.load("SettlementToken").abi)

    # Acting

    def act(self, sender: Sender, call: Any, gas: int = MAX_TRANSACTION_GAS) -> TxReceipt:
        """Sends any contract call, such as `gateway.registry.functions.publish_tariff(...)`.

        Args:
            call: a bound contract function of one of this gateway's contracts.
            gas: the transaction's gas limit.
        Raises:
            MarketError: the contract refused.
        """
        data = call._encode_transaction_data()
        return send_and_wait(
            self.w3, sender, {"to": call.address, "data": data, "value": Web3.to_wei(0, "wei"), "gas": gas}
        )

    def simulate(self, sender: str, call: Any) -> None:
        """Tries a contract call without sending it.

        Args:
            sender: address that would send it.
        Raises:
            MarketError: the contract would refuse.
        """
        try:
            # At the time of the next block, where the node has one.
            call.call({"from": sender}, block_identifier="pending")
        except Exception as error:
            explained = explain(error)
            if explained is not error:
                raise explained from error
            try:
                call.call({"from": sender})
            except Exception as latest:
                raise explain(latest) from latest

    def relay(self, sender: Sender, items: Sequence[int], *, strict: bool = False) -> TxReceipt:
        """Relays packed items (see `peerwatt.market.relay`), at most 1,024 words.

        Raises:
            MarketError: with `strict`, the reason of the first bad item.
        """
        return self.act(sender, self.market.functions.relay(list(items), strict))

    def place(
        self,
        sender: Sender,
        meter: str,
        side: int,
        first_window: int,
        last_window: int,
        energy_wh: int,
        limit_level: int,
        nonce: int,
    ) -> TxReceipt:
        """Places an order of the sender itself."""
        return self.act(
            sender,
            self.market.functions.place(
                Web3.to_checksum_address(meter), side, first_window, last_window, energy_wh, limit_level, nonce
            ),
        )

    def cancel(self, sender: Sender, nonce: int, from_window: int) -> TxReceipt:
        """Cancels an order of the sender itself, or burns a nonce."""
        return self.act(sender, self.market.functions.cancel(nonce, from_window))

    def clear(self, sender: Sender, max_windows: int = 255) -> TxReceipt:
        """Clears the next gated windows."""
        return self.act(sender, self.market.functions.clear(max_windows))

    def deposit(self, sender: Sender, amount: int) -> TxReceipt:
        """Allows and deposits the sender's tokens [base units]."""
        self.act(sender, self.token.functions.approve(self.deployment.market, amount))
        return self.act(sender, self.market.functions.deposit(amount))

    def withdraw(self, sender: Sender, amount: int, recipient: str | None = None) -> TxReceipt:
        """Withdraws free money [base units], to the sender unless told otherwise."""
        return self.act(
            sender, self.market.functions.withdraw(amount, Web3.to_checksum_address(recipient or sender.address))
        )

    def get_events(self, receipt: TxReceipt) -> list[Event]:
        """The decoded events of a transaction."""
        return list(decode_logs(receipt["logs"]))

    # Reading

    def wallet(self, account: str) -> words.WalletWord:
        """Balance, reserve, score and rating flag."""
        return words.WalletWord.decode(self._read("wallets", Web3.to_checksum_address(account)))

    def calendar(self, account: str) -> words.CalendarWord:
        """Open windows and the newest settled one, as stored."""
        return words.CalendarWord.decode(self._read("calendars", Web3.to_checksum_address(account)))

    def device(self, account: str) -> words.DeviceWord:
        """The bound meter and its connection; all zero if none."""
        return words.DeviceWord.decode(self._read("devices", Web3.to_checksum_address(account)))

    def exports(self, account: str) -> words.ExportsWord:
        """The export register last read."""
        return words.ExportsWord.decode(self._read("exports_of", Web3.to_checksum_address(account)))

    def imports(self, account: str) -> words.ImportsWord:
        """The import register last read."""
        return words.ImportsWord.decode(self._read("imports_of", Web3.to_checksum_address(account)))

    def order(self, account: str, slot: int) -> words.OrderWord:
        """The order in a slot (0..15)."""
        return words.OrderWord.decode(self._read("orders", Web3.to_checksum_address(account), slot))

    def agent(self, account: str, agent: str) -> words.AgentWord:
        """What an agent key may do for an account."""
        return words.AgentWord.decode(
            self._read("agents", Web3.to_checksum_address(account), Web3.to_checksum_address(agent))
        )

    def book_state(self) -> words.BookStateWord:
        """The newest cleared window, Wh x windows still to clear, pause and closure."""
        return words.BookStateWord.decode(self._read("book_state"))

    def result(self, window: int) -> words.ResultWord:
        """The clearing of a window."""
        return words.ResultWord.decode(self._read("results", window))

    def tariff_head(self) -> words.TariffHeadWord:
        """Tariff version in force and the next one."""
        return words.TariffHeadWord.decode(self._read("tariff_head"))

    def table(self, name: str, version: int) -> words.TableWord:
        """One of a version's `surcharges`, `haircuts`, `rebates`."""
        return words.TableWord.decode(self._read(name, version))

    def feeder(self, feeder: int) -> words.FeederWord:
        """Network fee and scales of a feeder."""
        return words.FeederWord.decode(self._read("feeders", feeder))

    def book(self, window: int) -> dict[int, tuple[int, int]]:
        """Bids and offers [Wh] by level for a window not yet cleared."""
        rows = self.lens.functions.book(window).call()
        return {level: (bid_wh, offer_wh) for level, _price, bid_wh, offer_wh in rows}

    def withdrawal_nonce(self, account: str) -> int:
        """The nonce that the account's next signed withdrawal needs."""
        return self._read("nonces", Web3.to_checksum_address(account))

    def token_balance(self, account: str) -> int:
        """Tokens outside the market [base units]."""
        return int(self.token.functions.balanceOf(Web3.to_checksum_address(account)).call())

    def price_grid(self) -> PriceGrid:
        """The market's 256 prices, and the money they are in as its token names it."""
        parameters = self.deployment.parameters
        decimals, symbol = self.token.functions.decimals().call(), self.token.functions.symbol().call()
        return PriceGrid(parameters.floor_price, parameters.price_step, int(decimals), str(symbol))

    def token_domain(self) -> TokenDomain:
        """The domain of the token's permits; tokens that do not publish it (ERC-5267) have version 1."""
        token, chain_id = self.deployment.token, self.deployment.chain_id
        try:
            fields = self.token.functions.eip712Domain().call()
            return TokenDomain(fields[1], fields[2], chain_id, token)
        except (ContractLogicError, BadFunctionCallOutput):
            return TokenDomain(self.token.functions.name().call(), "1", chain_id, token)

    def now_s(self) -> int:
        """Timestamp of the newest block [s]."""
        return int(self.w3.eth.get_block("latest")["timestamp"])

    def _read(self, name: str, *args: Any) -> int:
        return int(self.market.functions[name](*args).call())
