"""From what happened to the figures: bills, flows, reliability, residuals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from peerwatt.bills import WindowUse, baseline_cost, residual_cost
from peerwatt.reference import auction, reputation
from peerwatt.reference.settlement import Settled
from peerwatt.signing import BUY
from peerwatt.study.community import Participant
from peerwatt.study.results import HomeResult, MoneyFlows, WindowResult
from peerwatt.study.trading import Trading

SCORE_ONE = 65536


class Accounting:
    """The study's books, kept from the settled ledger, the meters and the wallets on the chain.

    Attributes:
        balances: what each account holds in the market on the chain [base units].
        delivered_wh, sold_wh, bought_wh, shortfall_wh, rounding_wh, traded_wh, demand_wh: totals.
    """

    def __init__(self, trading: Trading, participants: Sequence[Participant], scores_before: Mapping[str, int]) -> None:
        self._trading = trading
        self._participants = participants
        self._scores_before = scores_before
        self._market = trading.stage.market
        self._config = trading.world.config
        first = trading.first_window
        self._ledger: list[Settled] = [line for line in self._market.ledger if line.window >= first]
        self._lines: dict[str, list[Settled]] = defaultdict(list)
        self._by_window: dict[int, list[Settled]] = defaultdict(list)
        for line in self._ledger:
            self._lines[line.account].append(line)
            self._by_window[line.window].append(line)
        self.balances = {p.home.id: trading.stage.gateway.wallet(p.account).balance for p in participants}
        self.windows = tuple(self._window(index) for index in range(trading.world.windows))
        self.homes = tuple(self._home(participant) for participant in participants)
        self.demand_wh = sum(window.demand_wh for window in self.windows)
        self.traded_wh = sum(window.traded_wh for window in self.windows)
        self.bought_wh = sum(window.bought_wh for window in self.windows)
        self.sold_wh = sum(window.sold_wh for window in self.windows)
        self.delivered_wh = sum(window.delivered_wh for window in self.windows)
        self.shortfall_wh = sum(window.shortfall_wh for window in self.windows)
        self.rounding_wh = sum(window.rounding_wh for window in self.windows)

    @property
    def participant_windows(self) -> int:
        """Settled pairs of a home and a window in which it had an order."""
        return len(self._ledger)

    def cost(self, kind: str | None = None) -> tuple[int, int]:
        """Bills of all homes, or of one kind, without and with the market [base units]."""
        homes = [home for home in self.homes if kind in (None, home.kind)]
        return sum(home.baseline_cost for home in homes), sum(home.market_cost for home in homes)

    def flows(self) -> MoneyFlows:
        """Where the buyers' money went."""
        bids = [line for line in self._ledger if line.order.side == BUY]
        offers = [line for line in self._ledger if line.order.side != BUY]
        price = self._market.parameters.price
        imbalance = sum(
            (line.fill_wh - line.delivered_wh) * price(line.order.imbalance_steps) for line in offers
        )
        rounding = 0
        for window, rounding_wh in self._market.rounding_wh.items():
            result = self._market.results.get(window)
            rounding += rounding_wh * price(result.level) if result is not None else 0
        return MoneyFlows(
            buyers_paid=sum(line.payment.paid for line in bids),
            sellers_received=sum(line.payment.received for line in offers),
            network_fees=sum(line.payment.network for line in self._ledger),
            surcharges=sum(line.payment.balancing for line in bids),
            haircuts=sum(line.payment.balancing for line in offers) - imbalance,
            imbalance_paid=sum(line.payment.paid for line in offers),
            imbalance_received=imbalance,
            rounding=rounding,
        )

    def money_residual(self) -> int:
        """Tokens in the market less all balances, read from the chain [base units]."""
        gateway, cast = self._trading.stage.gateway, self._trading.stage.cast
        funds = {cast.balancing_account, cast.network_account}
        held = sum(self.balances.values()) + sum(gateway.wallet(account).balance for account in funds)
        return gateway.token_balance(self._trading.stage.deployment.market) - held

    def energy_residual(self) -> int:
        """Bought less delivered, shortfall and rounding [Wh]."""
        return self.bought_wh - self.delivered_wh - self.shortfall_wh - self.rounding_wh

    def _window(self, index: int) -> WindowResult:
        market, config = self._market, self._config
        window = self._trading.first_window + index
        lines = self._by_window[window]
        offers = [line for line in lines if line.order.side != BUY]
        bid_curve, offer_curve = auction.split(market.book(window))
        result = market.results.get(window)
        traded = result is not None and result.kind != 0
        start = config.period.start.replace(tzinfo=ZoneInfo(config.place.timezone))
        return WindowResult(
            index=index,
            window=window,
            starts_at=(start + timedelta(seconds=index * config.market.window_seconds)).isoformat(),
            demand_wh=sum(imported for imported, _ in self._trading.uses[index].values()),
            bids_wh=sum(bid_curve.values()),
            offers_wh=sum(offer_curve.values()),
            price_per_wh=market.parameters.price(result.level) if result is not None and traded else None,
            traded_wh=auction.clear_book(bid_curve, offer_curve).traded_wh,
            bought_wh=sum(line.fill_wh for line in lines if line.order.side == BUY),
            sold_wh=sum(line.fill_wh for line in offers),
            delivered_wh=sum(line.delivered_wh for line in offers),
            shortfall_wh=sum(line.fill_wh - line.delivered_wh for line in offers),
            rounding_wh=market.rounding_wh.get(window, 0),
            bid_curve=tuple(sorted(bid_curve.items())),
            offer_curve=tuple(sorted(offer_curve.items())),
        )

    def _home(self, participant: Participant) -> HomeResult:
        home, account = participant.home, participant.account.lower()
        lines = self._lines[account]
        bought: dict[int, int] = defaultdict(int)
        delivered: dict[int, int] = defaultdict(int)
        sold_wh = 0
        for line in lines:
            if line.order.side == BUY:
                bought[line.window] += line.fill_wh
            else:
                delivered[line.window] += line.delivered_wh
                sold_wh += line.fill_wh
        uses = [
            WindowUse(
                *grown[home.id],
                bought_wh=bought[self._trading.first_window + index],
                delivered_wh=delivered[self._trading.first_window + index],
            )
            for index, grown in enumerate(self._trading.uses)
        ]
        retail, feed_in = self._config.retail[home.retail_class].price, self._config.feed_in
        paid = home.deposit - self.balances[home.id]
        score = self._market.wallet(account).score
        return HomeResult(
            id=home.id,
            kind=home.kind,
            category=home.category,
            account=participant.account,
            baseline_cost=baseline_cost(uses, retail, feed_in),
            market_cost=residual_cost(uses, retail, feed_in, self._config.market.floor_price) + paid,
            score_before=self._scores_before[home.id] / SCORE_ONE,
            score_after=score / SCORE_ONE,
            rating=reputation.rating(score),
            bought_wh=sum(bought.values()),
            sold_wh=sold_wh,
            delivered_wh=sum(delivered.values()),
            windows_with_order=len(lines),
        )
