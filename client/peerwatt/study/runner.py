"""`peerwatt study`: the paper's community, from signed order to paid delivery, on a real chain."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from eth_account import Account
from eth_utils.crypto import keccak
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from web3 import HTTPProvider, Web3

from peerwatt.audit.collector import collect_rarely
from peerwatt.audit.report import HOLDS, Report
from peerwatt.audit.rpc import HttpTransport
from peerwatt.audit.run import audit_market
from peerwatt.audit.transport import InProcess, Transport
from peerwatt.bills import reduction_pct
from peerwatt.market.senders import KeyAccount, NodeAccount
from peerwatt.node.embedded import EmbeddedChain
from peerwatt.node.view import view_node
from peerwatt.study.accounting import Accounting
from peerwatt.study.clock import Clock, EmbeddedClock, RealClock, TravellingClock, shift_into_future
from peerwatt.study.community import make_participants
from peerwatt.study.config import TOKEN_DECIMALS, load_config
from peerwatt.study.report import write_report
from peerwatt.study.report.terminal import render_summary
from peerwatt.study.results import StudyResult, Summary
from peerwatt.study.stage import Cast, Stage
from peerwatt.study.trading import RING, Trading
from peerwatt.study.world import World

# Every home is enrolled and funded before the practice session, one turn of the book's ring before the first window: a
# block takes a second, so two hours are ample.
SET_UP_S = 2 * 3600
RPC_TIMEOUT_S = 60
# Homes enrolled in one transaction.
STREET = 20


class StudyError(Exception):
    """The study can't run as asked; the text says what to change."""


@dataclass(frozen=True)
class StudyOptions:
    """What the command line asks for; see `peerwatt study --help`."""

    seed: int = 0
    consumers: int = 246
    prosumers: int = 14
    windows: int = 10
    scenario: str = "base"
    rpc: str | None = None
    json: bool = False
    out: Path = Path("out/study")


@dataclass(frozen=True)
class Venue:
    """The chain that the study runs on."""

    w3: Web3
    clock: Clock
    cast: Cast
    transport: Transport
    note: str | None = None


def run_study(options: StudyOptions) -> int:
    """Runs the study, writes its files, prints its summary.

    Returns:
        Exit status: 0; 1 if chain and reference differ, something is not conserved or the audit does not hold; 2 if it
        can't run as asked.
    """
    console = Console(stderr=options.json)
    try:
        result = play(options, console)
    except (StudyError, ValueError, OSError) as error:
        console.print(f"peerwatt study: {error}", style="red", markup=False, highlight=False)
        return 2
    summary = result.summary
    (options.out / "summary.json").write_text(json.dumps(summary.to_dict(), indent=2) + "\n")
    write_report(result, options.out / "report.html")
    if options.json:
        sys.stdout.write(json.dumps(summary.to_dict(), indent=2) + "\n")
    else:
        console.print(render_summary(result))
        files = f"\nReport: {options.out / 'report.html'}   Summary: {options.out / 'summary.json'}"
        console.print(files, highlight=False)
    sound = summary.parity_ok and summary.audit_ok and not summary.money_residual and not summary.energy_residual
    return 0 if sound else 1


def play(options: StudyOptions, console: Console) -> StudyResult:
    """Everything from drawing the community to the last figure.

    Raises:
        StudyError: the node can't serve, or the output directory can't be written.
        ValueError: a size or scenario that the study does not have.
    """
    started = time.perf_counter()
    config = load_config()
    world = World(config, options.seed, options.consumers, options.prosumers, options.windows, options.scenario)
    options.out.mkdir(parents=True, exist_ok=True)
    opening = config.period.start.replace(tzinfo=ZoneInfo(config.place.timezone))
    venue = open_venue(options)
    seconds = config.market.window_seconds
    lead_in_s = SET_UP_S + RING * seconds
    start_s = shift_into_future(int(opening.timestamp()), venue.clock.now_s() + lead_in_s)
    first_window = start_s // seconds
    if venue.clock.simulated:
        venue.clock.advance_to(start_s - lead_in_s)
    if venue.note:
        console.print(venue.note, style="yellow", highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress, collect_rarely():
        chain_started = time.perf_counter()
        stage = Stage(venue.w3, venue.cast, config)
        stage.publish()
        participants = make_participants(world.homes, options.seed)
        task = progress.add_task("Homes enrol and deposit", total=len(participants))
        for start in range(0, len(participants), STREET):
            street = participants[start : start + STREET]
            stage.admit(street)
            progress.advance(task, len(street))
        scores = {p.home.id: stage.market.wallet(p.account.lower()).score for p in participants}
        if not venue.clock.simulated:
            first_window = (int(time.time()) + config.market.lead_seconds) // config.market.window_seconds + 2
        trading = Trading(world, stage, participants, venue.clock, first_window)
        if venue.clock.simulated:
            trading.practise()
        task = progress.add_task("Windows trade and settle", total=options.windows)
        trading.run(lambda _: progress.advance(task))
        seconds_chain = time.perf_counter() - chain_started - trading.seconds_comparing
        progress.add_task("The auditor does it all again", total=None)
        audit = audit_market(venue.transport, stage.deployment, "latest")
    stage.deployment.save(options.out / "deployment.json")
    books = Accounting(trading, participants, scores)
    summary = _summarise(options, world, trading, books, audit, started, seconds_chain)
    notes = tuple(note for note in (venue.note, *trading.differences[:20], *_describe(audit)) if note)
    return StudyResult(
        summary=summary,
        windows=books.windows,
        homes=books.homes,
        flows=books.flows(),
        floor_price=config.market.floor_price,
        price_step=config.market.price_step,
        retail_prices={retail.name: retail.price for retail in config.retail},
        feed_in_price=config.feed_in,
        imbalance_price=config.market.imbalance_price,
        notes=notes,
    )


def _describe(audit: Report) -> tuple[str, ...]:
    """What the audit found, where not everything holds."""
    if audit.verdict == HOLDS:
        return ()
    first = audit.divergence
    where = f"block {first.block}: {first.expected} expected, {first.found} found" if first else "nothing diverges"
    return (f"The audit's verdict is {audit.verdict}; {where}.", *audit.incomplete)


def open_venue(options: StudyOptions) -> Venue:
    """The embedded chain, or the node behind `--rpc`.

    Raises:
        StudyError: no node there, or it has no accounts that can pay.
    """
    if options.rpc is None:
        chain = EmbeddedChain()
        operator, regulator, balancing, network, relayer = chain.accounts[:5]
        cast = Cast(NodeAccount(operator), NodeAccount(regulator), NodeAccount(relayer), balancing, network)
        return Venue(chain.w3, EmbeddedClock(chain), cast, InProcess(view_node(chain).answer))
    w3 = Web3(HTTPProvider(options.rpc, request_kwargs={"timeout": RPC_TIMEOUT_S}))
    if not w3.is_connected():
        raise StudyError(f"no JSON-RPC node answers at {options.rpc}; start one, or leave --rpc away")
    cast = _cast_on_node(w3, options.rpc)
    clock: Clock | None = TravellingClock.detect(w3)
    if clock is not None:
        return Venue(w3, clock, cast, HttpTransport(options.rpc))
    minutes = (options.windows + 2) * 15
    note = f"This node can't move its clock: the study runs in real time, about {minutes} minutes."
    return Venue(w3, RealClock(w3), cast, HttpTransport(options.rpc), note)


def _cast_on_node(w3: Web3, url: str) -> Cast:
    accounts = w3.eth.accounts
    if len(accounts) >= 5:
        operator, regulator, balancing, network, relayer = (str(account) for account in accounts[:5])
        return Cast(NodeAccount(operator), NodeAccount(regulator), NodeAccount(relayer), balancing, network)
    key = os.environ.get("PEERWATT_PRIVATE_KEY")
    if not key:
        raise StudyError(
            f"the node at {url} holds {len(accounts)} unlocked accounts, the study needs 5; "
            "or set PEERWATT_PRIVATE_KEY to a key with gas money"
        )
    try:
        sender = KeyAccount(Account.from_key(key))
    except Exception:
        raise StudyError("PEERWATT_PRIVATE_KEY is no private key; give 32 bytes as hex") from None
    funds = [Account.from_key(keccak(text=f"peerwatt study {name}")).address for name in ("balancing", "network")]
    return Cast(sender, sender, sender, *funds)


def _summarise(
    options: StudyOptions,
    world: World,
    trading: Trading,
    books: Accounting,
    audit: Report,
    started: float,
    seconds_chain: float,
) -> Summary:
    gas, quality = trading.stage.gas, world.forecast_quality()
    baseline, market = books.cost()
    pairs = max(books.participant_windows, 1)
    return Summary(
        consumers=options.consumers,
        prosumers=options.prosumers,
        windows=options.windows,
        window_seconds=world.config.market.window_seconds,
        seed=options.seed,
        scenario=options.scenario,
        participant_windows=books.participant_windows,
        demand_wh=books.demand_wh,
        traded_wh=books.traded_wh,
        delivered_wh=books.delivered_wh,
        shortfall_wh=books.shortfall_wh,
        rounding_wh=books.rounding_wh,
        baseline_cost=baseline,
        market_cost=market,
        bill_reduction_pct=round(reduction_pct(baseline, market), 2),
        bill_reduction_consumers_pct=round(reduction_pct(*books.cost("consumer")), 2),
        bill_reduction_prosumers_pct=round(reduction_pct(*books.cost("prosumer")), 2),
        reliability_pct=round(100 * books.delivered_wh / books.sold_wh, 2) if books.sold_wh else 100.0,
        forecast_nrmse_load=round(float(quality.load), 4),
        forecast_nrmse_pv=round(float(quality.pv), 4),
        gas_setup=gas.setup,
        gas_order=gas.order,
        gas_clear=gas.clear,
        gas_settle=gas.settle,
        gas_per_participant_window=round((gas.order + gas.clear + gas.settle) / pairs, 1),
        gas_clear_per_window=round(gas.clear / options.windows, 1),
        seconds_total=round(time.perf_counter() - started, 2),
        seconds_chain=round(seconds_chain, 2),
        money_residual=books.money_residual(),
        energy_residual=books.energy_residual(),
        parity_ok=not trading.differences,
        audit_ok=audit.verdict == HOLDS,
        audit_digest=audit.digest,
        currency="NGN",
        token_decimals=TOKEN_DECIMALS,
    )
