"""A bridge: its services, put together once."""

from __future__ import annotations

from dataclasses import dataclass, field

from eth_account.signers.local import LocalAccount

from peerwatt.market.deployment import Deployment
from peerwatt.wallet.keystores import Keystore
from peerwatt_bridge.guard.defences import Defences
from peerwatt_bridge.services import keeping
from peerwatt_bridge.services.act_relay import ActRelay
from peerwatt_bridge.services.acts import Acts
from peerwatt_bridge.services.administration import Administration
from peerwatt_bridge.services.chain import Chain
from peerwatt_bridge.services.commands import Commands
from peerwatt_bridge.services.connections import Connections
from peerwatt_bridge.services.follower import LEASE as FOLLOWER_LEASE
from peerwatt_bridge.services.follower import Follower
from peerwatt_bridge.services.intents import Intents
from peerwatt_bridge.services.monitor import PAUSE_S, Monitor
from peerwatt_bridge.services.outbox import Outbox
from peerwatt_bridge.services.outcomes import judge_items
from peerwatt_bridge.services.readings import Readings
from peerwatt_bridge.services.records import Records
from peerwatt_bridge.services.relayer import Relayer
from peerwatt_bridge.services.report_relay import ReportRelay
from peerwatt_bridge.services.streams import Streams
from peerwatt_bridge.services.taking import Taking
from peerwatt_bridge.services.views import Views
from peerwatt_bridge.services.workers import Worker
from peerwatt_bridge.settings import Settings
from peerwatt_bridge.storage.database import Database
from peerwatt_bridge.storage.leases import Leases, name_holder

# How often a keeper looks whether there is something to do.
KEEPER_PAUSE_S = 5


@dataclass
class Bridge:
    """Everything that one process works with."""

    settings: Settings
    database: Database
    chain: Chain
    connections: Connections
    readings: Readings
    acts: Acts
    records: Records
    commands: Commands
    intents: Intents
    views: Views
    streams: Streams
    leases: Leases
    outbox: Outbox | None
    relayer: Relayer | None
    workers: list[Worker] = field(default_factory=list)
    defences: Defences = field(init=False)
    taking: Taking = field(init=False)
    administration: Administration = field(init=False)
    monitor: Monitor = field(init=False)

    def __post_init__(self) -> None:
        self.defences = Defences(self.settings)
        self.taking = Taking(self.chain, self.connections, self.readings, self.acts, self.defences)
        self.administration = Administration(self.database, self.connections, self.records)
        payer = None if self.outbox is None else self.outbox.address
        self.monitor = Monitor(self.database, self.chain, self.defences.signals, payer, self.settings.low_balance_wei)
        self.workers.append(Worker("monitor", self.monitor.refresh, PAUSE_S))
        self.defences.metrics.watch_workers(self.workers)
        self.defences.metrics.watch_snapshots(self.monitor.read)

    def start(self) -> None:
        """Starts the workers."""
        for worker in self.workers:
            worker.start()

    def stop(self) -> None:
        """Lets the workers end their round, and gives back what this process holds."""
        self.streams.close_all()
        for worker in self.workers:
            worker.stop()
        self.leases.release(FOLLOWER_LEASE)
        if self.outbox is not None:
            for lease in (self.outbox.lease, keeping.LEASE):
                self.leases.release(lease)
        self.database.close()

    def wake(self) -> None:
        """Something came in: the relayer need not wait for its turn."""
        for worker in self.workers:
            if worker.health.name == "relayer":
                worker.wake()


def load_relayer(settings: Settings) -> LocalAccount | None:
    """The key that pays the gas, None if the bridge has none.

    Raises:
        KeystoreError: no keystore, or a wrong password.
        OSError: the password's file can't be read.
    """
    if settings.relayer is None:
        return None
    password = ""
    if settings.relayer_password_file is not None:
        password = settings.relayer_password_file.read_text(encoding="utf-8").rstrip("\r\n")
    return Keystore.open(settings.relayer).unlock(password)


def build(
    settings: Settings, *, chain: Chain | None = None, key: LocalAccount | None = None, database: Database | None = None
) -> Bridge:
    """A bridge by its settings, not started.

    Args:
        chain, key, database: instead of those of the settings.
    Raises:
        ManifestError: no manifest. DatabaseError: the schema is another one. KeystoreError: the relayer's key.
    """
    if chain is None:
        deployment = Deployment.load(settings.deployment)
        chain = Chain.connect(settings.rpc, deployment, settings.node_timeout_s, settings.confirmations)
    if database is None:
        database = Database(settings.database, settings.database_busy_s)
    database.check()
    key = key or load_relayer(settings)
    leases = Leases(database, name_holder())
    connections = Connections(database, chain)
    readings = Readings(database, chain, connections, settings.clock_tolerance_s, settings.growth_margin_percent)
    outbox = relayer = None
    streams = Streams(database, settings.max_streams)
    workers = [
        Worker("clock", chain.read_time, max(settings.tick_s, 1)),
        Worker("follower", Follower(database, chain, leases).round, settings.tick_s),
        Worker("events", streams.poll, settings.tick_s),
    ]
    if key is not None:
        gateway = chain.gateway
        outbox = Outbox(database, chain, leases, key, lambda mined: judge_items(gateway, mined), settings.resend_s)
        relayer = Relayer(database, outbox, ReportRelay(database, chain), ActRelay(database, chain, key.address))
        workers.append(Worker("relayer", relayer.round, settings.tick_s))
        if settings.keep:
            workers.append(Worker("keeper", keeping.Keeping(chain, outbox, leases).round, KEEPER_PAUSE_S))
    return Bridge(
        settings,
        database,
        chain,
        connections,
        readings,
        Acts(database, chain) if key is None else Acts(database, chain, key.address),
        Records(database, chain),
        Commands(database),
        Intents(chain),
        Views(database, chain),
        streams,
        leases,
        outbox,
        relayer,
        workers,
    )
