"""The end of a replay: what the contracts hold is what the reference holds, word by word, at the audited block."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from peerwatt.audit.books import OFFER, Book, read_books
from peerwatt.audit.bundles import Words
from peerwatt.audit.calldata import MARKET, REGISTRY
from peerwatt.audit.getters import call_getter
from peerwatt.audit.history import Block
from peerwatt.audit.transport import RpcError, Transport
from peerwatt.market.deployment import Deployment
from peerwatt.market.views import View, account_views, market_views, registry_views, result_views
from peerwatt.reference import ZERO_ADDRESS, Market, Registry
from peerwatt.reference.registry import Connection
from peerwatt.signing import Domain

TOKEN = "SettlementToken"
# How many views are asked for at once: a node's answer stays small, and memory flat.
VIEWS_AT_ONCE = 2_000


@dataclass(frozen=True)
class Difference:
    """A word that the chain holds and the reference does not.

    Attributes:
        view: contract, getter and arguments.
        getter: its name.
        expected, found: words.
    """

    view: str
    getter: str
    expected: int
    found: int


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes:
        compared: how many words.
        differences: those that differ.
        refused: why the node did not give some of them, None if it gave all.
        refused_count: how many.
    """

    compared: int
    differences: tuple[Difference, ...]
    refused: str | None = None
    refused_count: int = 0


def compare_state(
    transport: Transport,
    deployment: Deployment,
    block: Block,
    market: Market,
    registry: Registry,
    given: int = 0,
    callers: Iterable[str] = (),
    unknown: Container[object] = (),
    closed: Mapping[int, int] = MappingProxyType({}),
) -> Comparison:
    """Reads every storage view of market, registry and token at a block, and compares it with the reference.

    Args:
        given: tokens that the market got without a deposit [base units].
        callers: whoever else called the contracts, lower case. They hold nothing, as far as the reference knows.
        unknown: getters of what the reference was not told, and getters with their arguments.
        closed: words of the results that the reference has forgotten, by window.
    """
    domain = Domain(deployment.chain_id, deployment.market)
    addresses = {MARKET: deployment.market, REGISTRY: deployment.registry, TOKEN: deployment.token}
    reader = Words(transport, block)
    compared, differences, refusals = 0, [], []
    views = _views(deployment, market, registry, domain, given, callers, closed)
    known = ((contract, view) for contract, view in views if view[0] not in unknown and view[:2] not in unknown)
    for part in _parts(known):
        words = reader.read([call_getter(addresses[contract], contract, *view[:2]) for contract, view in part])
        for (contract, (name, arguments, expected)), found in zip(part, words, strict=True):
            if isinstance(found, RpcError):
                refusals.append(str(found))
                continue
            compared += 1
            if found != expected:
                label = f"{contract}.{name}({', '.join(_text(argument) for argument in arguments)})"
                differences.append(Difference(label, name, expected, found))
    if not market.book_state.closed:
        # In a closed market nobody reads them any more.
        try:
            found_books = read_books(reader, deployment.market, market.book_state.cleared)
        except RpcError as error:
            refusals.append(str(error))
        else:
            compared += len(found_books)
            differences += _compare_books(market, found_books)
    refused = refusals[0] if refusals else None
    return Comparison(compared, tuple(differences), refused, len(refusals))


def _views(
    deployment: Deployment,
    market: Market,
    registry: Registry,
    domain: Domain,
    given: int,
    callers: Iterable[str],
    closed: Mapping[int, int],
) -> Iterator[tuple[str, View]]:
    accounts = sorted(
        market.wallets.keys()
        | market.calendars.keys()
        | market.devices.keys()
        | market.exports.keys()
        | {account for account, _ in market.orders}
        | {market.balancing_account, market.network_account}
        # Those who rule the market have nothing in it, and nobody else can give them anything unseen.
        | {holder.lower() for holder in asdict(deployment.roles).values()}
        | {*registry.holders.values(), *registry.offered.values(), *callers}
        - {ZERO_ADDRESS}
    )
    for account in accounts:
        for view in account_views(market, account):
            yield MARKET, view
    for view in market_views(market):
        yield MARKET, view
    still = result_views(market, market.books.keys() | market.results)
    for window, word in sorted({**closed, **{window: word for _, (window,), word in still}}.items()):
        yield MARKET, ("results", (window,), word)
    for view in registry_views(registry, domain, accounts, sorted(registry.meter_bound_to)):
        yield REGISTRY, view
    for connection, held in registry.connections.items():
        yield REGISTRY, ("connections", (connection,), _connection_words(held))
    yield TOKEN, ("balanceOf", (deployment.market,), market.token_balance + given)


def _compare_books(market: Market, found: dict[int, Book]) -> Iterator[Difference]:
    for window, book in found.items():
        expected = market.book(window)
        for level in sorted(book.keys() | expected.keys()):
            (bid, offer), told = expected.get(level, (0, 0)), book.get(level, (0, 0))
            if told != (bid, offer):
                view = f"{MARKET}: bid and offer of window {window} at level {level}"
                yield Difference(view, "book", bid | offer << OFFER, told[0] | told[1] << OFFER)


def _connection_words(held: Connection) -> int:
    """The three words of a connection's record, one after the other."""
    return int(held.account, 16) << 512 | int(held.known) << 256 | held.score


def _parts(views: Iterator[tuple[str, View]]) -> Iterator[list[tuple[str, View]]]:
    part: list[tuple[str, View]] = []
    for view in views:
        part.append(view)
        if len(part) == VIEWS_AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _text(argument: Any) -> str:
    return f"0x{argument.hex()}" if isinstance(argument, bytes) else str(argument)
