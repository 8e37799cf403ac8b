"""The neighbours of a local chain, trading through a bridge as homes do: they pay no gas."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import requests
import structlog

from peerwatt.market.accounts import AccountState, read_accounts
from peerwatt.market.clock import get_chain_time_s
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.neighbours import HORIZON_WINDOWS, NEIGHBOURS, TOP_UP_WINDOWS, Neighbour, Neighbourhood
from peerwatt.market.senders import NodeAccount
from peerwatt.signing import BUY, EXPORTS, SELL, Domain, Message, Order, Permit, Report, TokenDomain, sign

log = structlog.get_logger(__name__)
TIMEOUT_S = 30
DEADLINE_S = 3600
# Of ten windows a seller delivers less in one, so that there is something to see.
SHORT_EVERY = 10


class Community:
    """Everybody's home energy system at once."""

    def __init__(self, gateway: MarketGateway, bridge_url: str) -> None:
        """
        Args:
            bridge_url: such as http://127.0.0.1:8750.
        """
        self._gateway = gateway
        self._url = bridge_url.rstrip("/")
        self._http = requests.Session()
        self._domain = Domain(gateway.deployment.chain_id, gateway.deployment.market)
        # Register and window that each seller's meter signed last.
        self._signed: dict[str, tuple[int, int]] = {}

    def move_in(self) -> None:
        """Enrols everybody and places the first orders, which the operator of a local chain does."""
        Neighbourhood(self._gateway).fill()

    def round(self) -> None:
        """Reports the windows that are over, and orders for those to come.

        Raises:
            RequestException: the bridge is away; the next round does it.
        """
        for neighbour, state in zip(NEIGHBOURS, self._read(), strict=True):
            if neighbour.side == SELL:
                self._report(neighbour, state)
            self._order(neighbour, state)

    def run(self, pause_s: float) -> None:
        """Rounds without end; a bridge or a node that is away is waited for."""
        while True:
            try:
                self.round()
            except Exception as error:
                log.warning("trouble", error=f"{type(error).__name__}: {str(error)[:200]}")
            time.sleep(pause_s)

    def _read(self) -> list[AccountState]:
        return read_accounts(self._gateway, [neighbour.account for neighbour in NEIGHBOURS])

    def _report(self, neighbour: Neighbour, state: AccountState) -> None:
        """One reading for each window that is over, as a meter signs it at the window's end."""
        first, register_wh = self._signed.get(neighbour.meter, (state.exports.window, state.exports.register_wh))
        window = get_chain_time_s(self._gateway.w3) // self._gateway.deployment.parameters.window_seconds
        sent = []
        for over in range(max(first, window - HORIZON_WINDOWS), window):
            slot = state.slot_of(over)
            energy_wh = neighbour.energy_wh if slot is None else state.orders[slot].energy_wh
            grown_wh = energy_wh // 2 if over % SHORT_EVERY == 0 else energy_wh
            report = Report(neighbour.meter, EXPORTS, over, (register_wh, register_wh + grown_wh))
            register_wh += grown_wh
            sent.append((report, self._sign(report, self._domain, neighbour.meter_key)))
        if sent:
            bodies = [_to_reading(report, signature) for report, signature in sent]
            self._post("readings", {"readings": bodies})
            self._signed[neighbour.meter] = (window, register_wh)

    def _order(self, neighbour: Neighbour, state: AccountState) -> None:
        """A standing order for the coming windows, when the last one runs out."""
        numbers, head = self._gateway.deployment.parameters, self._gateway.tariff_head()
        gated = (get_chain_time_s(self._gateway.w3) + numbers.lead_seconds) // numbers.window_seconds
        first, last = max(gated + 1, *state.open_windows, 0) + 1, gated + HORIZON_WINDOWS
        if last - first + 1 < TOP_UP_WINDOWS:
            return
        book = self._gateway.book_state()
        energy_wh = max(neighbour.energy_wh, numbers.min_order_wh)
        limit = numbers.floor_price + neighbour.level * numbers.price_step
        imbalance = numbers.floor_price + head.imbalance_steps * numbers.price_step
        need = (last - first + 1) * energy_wh * (limit if neighbour.side == BUY else imbalance - limit)
        if state.wallet.free < need:
            # The order follows in a later round, when the money is there.
            self._deposit(neighbour, 2 * need)
            return
        order = Order(
            neighbour.account,
            neighbour.meter,
            neighbour.side,
            first,
            last,
            energy_wh,
            neighbour.level,
            state.next_nonce(book),
        )
        self._post_signed("orders", order, self._sign(order, self._domain, neighbour.account_key))

    def _deposit(self, neighbour: Neighbour, amount: int) -> None:
        """Money from the local token's minter, brought in by a permit."""
        gateway, token = self._gateway, self._gateway.token.functions
        if gateway.token_balance(neighbour.account) < amount:
            minter = NodeAccount(str(token.minter().call()))
            gateway.act(minter, token.mint(neighbour.account, amount))
        nonce = int(token.nonces(neighbour.account).call())
        deadline = get_chain_time_s(gateway.w3) + DEADLINE_S
        permit = Permit(neighbour.account, gateway.deployment.market, amount, nonce, deadline)
        self._post_signed("deposits", permit, self._sign(permit, gateway.token_domain(), neighbour.account_key))

    @staticmethod
    def _sign(message: Message, domain: Domain | TokenDomain, key: bytes) -> str:
        return "0x" + sign(message, domain, key).to_bytes().hex()

    def _post_signed(self, path: str, message: Message, signature: str) -> None:
        self._post(path, {"message": message.to_json(), "signature": signature})

    def _post(self, path: str, body: dict[str, Any]) -> None:
        answer = self._http.post(f"{self._url}/v1/{path}", json=body, timeout=TIMEOUT_S)
        if answer.status_code >= 500:
            answer.raise_for_status()
        if answer.status_code >= 400:
            log.warning("refused", path=path, status=answer.status_code, detail=answer.json().get("detail"))


def _to_reading(report: Report, signature: str) -> dict[str, Any]:
    return {
        "meter": report.meter,
        "register": "2.8.0",
        "unit": "Wh",
        "first_window": report.first_window,
        "values": _texts(report.registers),
        "signature": signature,
    }


def _texts(registers: Sequence[int]) -> list[str]:
    return [str(register) for register in registers]
