"""Deployments on a chain in this process: what is checked first and verified after, what is said when one stops."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account
from hexbytes import HexBytes
from requests.exceptions import ConnectionError as LostConnection
from web3 import Web3
from web3.types import TxParams

from peerwatt.market import deploy_checks, deploying
from peerwatt.market.chains import is_local
from peerwatt.market.deploy_checks import DeploymentRefused, WrongChain
from peerwatt.market.deploying import Deployer, DeploymentFailed, Outcome
from peerwatt.market.deployment import Deployment, ManifestError, deploy_contract
from peerwatt.market.parameters import Parameters, TokenParameters, load_parameters
from peerwatt.market.publication import ACT_GAS, list_acts, list_missing
from peerwatt.market.senders import KeyAccount, NodeAccount, Sender
from peerwatt.node.embedded import EmbeddedChain

LOCAL = load_parameters()
POOR = KeyAccount(Account.from_key(b"\x09" * 32))


@pytest.fixture(scope="module")
def _chain() -> EmbeddedChain:
    return EmbeddedChain()


@pytest.fixture
def chain(_chain: EmbeddedChain, _deployment: Deployment) -> Iterator[EmbeddedChain]:
    """The chain; what a test does to it is undone."""
    snapshot = _chain.take_snapshot()
    yield _chain
    _chain.revert_to(snapshot)


class Maker:
    """Makes deployers and remembers what they said."""

    def __init__(self, chain: EmbeddedChain, folder: Path) -> None:
        self.w3 = chain.w3
        self.chain = chain
        self.owner: Sender = NodeAccount(chain.accounts[0])
        self.manifest = folder / "market" / "deployment.json"
        self.said: list[str] = []

    def make(self, parameters: Parameters = LOCAL, sender: Sender | None = None, **options: object) -> Deployer:
        return Deployer(
            self.w3, sender or self.owner, parameters, self.manifest, say=self.said.append, **options
        )  # type: ignore[arg-type]

    def deploy(self, parameters: Parameters = LOCAL, **options: object) -> Outcome:
        deployer = self.make(parameters, **options)  # type: ignore[arg-type]
        return deployer.deploy(deployer.check())

    def publish(self, parameters: Parameters = LOCAL, **options: object) -> Outcome:
        deployer = self.make(parameters, **options)  # type: ignore[arg-type]
        return deployer.publish(deployer.open_market())

    def refused(self, deployer: Deployer, **options: bool) -> str:
        """What a refusal says; nothing may have been sent."""
        before = self.w3.eth.block_number
        with pytest.raises(DeploymentRefused) as caught:
            deployer.check(**options)
        assert self.w3.eth.block_number == before
        return str(caught.value)


@pytest.fixture
def maker(chain: EmbeddedChain, tmp_path: Path) -> Maker:
    return Maker(chain, tmp_path)


@pytest.fixture(scope="module")
def _deployment(_chain: EmbeddedChain, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return Maker(_chain, tmp_path_factory.mktemp("deployed")).deploy().gateway.deployment


@pytest.fixture
def deployment(_deployment: Deployment, maker: Maker) -> Deployment:
    """A market that was there before the test; its manifest is where the maker would put one."""
    _deployment.save(maker.manifest)
    return _deployment


class Mortal:
    """A sender whose node dies before a certain transaction."""

    def __init__(self, sender: Sender, transactions: int, error: Exception) -> None:
        self._sender = sender
        self._left = transactions
        self._error = error
        self.address = sender.address

    def send(self, w3: Web3, transaction: TxParams) -> HexBytes:
        if not self._left:
            raise self._error
        self._left -= 1
        return self._sender.send(w3, transaction)


def test_deploy__local_parameters__market_open_for_homes(maker: Maker) -> None:
    deployer = maker.make()
    prediction = deployer.check()
    outcome = deployer.deploy(prediction)
    gateway = outcome.gateway
    assert Deployment.load(maker.manifest) == gateway.deployment
    gateway.deployment.check(maker.w3)
    assert outcome.left == [] and list_missing(gateway, LOCAL) == []
    assert gateway.price_grid() == LOCAL.grid
    assert gateway.tariff_head().imbalance_steps == LOCAL.tariff.imbalance_steps
    assert gateway.table("rebates", 1).bands == LOCAL.tariff.rebate_bps
    assert gateway.registry.functions.retail(1).call() == 63_000
    assert gateway.feeder(2).fee_per_wh == 12_000 and gateway.feeder(2).export_scale_bps == 10_000
    assert [getattr(gateway.deployment.roles, name) for name in deploy_checks.ROLES] == maker.chain.accounts[:4]
    # Nothing costs more than was said, and not much less.
    assert 0.95 * prediction.gas < outcome.ledger.gas <= prediction.gas
    assert outcome.ledger.fee_wei <= prediction.gas * prediction.price_wei
    assert len(maker.said) == len(outcome.ledger.entries) + 1


def test_predict__gas_of_each_act__close_to_its_receipt(maker: Maker) -> None:
    entries = {entry.what: entry.gas for entry in maker.deploy().ledger.entries}
    for act in list_acts(LOCAL):
        used = entries[act.text]
        # A scale is cheaper where the fee was set before.
        slack = 20_000 if act.function == "set_feeder_scale" else 6_000
        assert used <= ACT_GAS[act.function] <= used + slack, act.text


def test_deploy__own_key__pays_and_mints(maker: Maker) -> None:
    home = KeyAccount(Account.from_key(b"\x08" * 32))
    maker.w3.eth.send_transaction(
        {"from": maker.chain.accounts[0], "to": home.address, "value": Web3.to_wei(1, "ether")}
    )
    outcome = maker.deploy(sender=home)
    assert outcome.left == []
    assert outcome.gateway.token.functions.minter().call() == home.address


class Late:
    """A sender that hears of its transactions a block later."""

    def __init__(self, chain: EmbeddedChain) -> None:
        self._sender = NodeAccount(chain.accounts[0])
        self.address = self._sender.address

    def send(self, w3: Web3, transaction: TxParams) -> HexBytes:
        sent = self._sender.send(w3, transaction)
        w3.provider.ethereum_tester.mine_block()  # type: ignore[attr-defined]
        return sent


def test_deploy__blocks_go_on__manifest_names_the_block_of_the_market(maker: Maker) -> None:
    deployment = maker.deploy(sender=Late(maker.chain)).gateway.deployment
    block = maker.w3.eth.get_block(deployment.block)
    [transaction] = block["transactions"]
    assert maker.w3.eth.get_transaction_receipt(transaction)["contractAddress"] == deployment.market  # type: ignore[arg-type]
    assert Web3.to_hex(block["hash"]) == deployment.block_hash


def test_deploy__twice__refused_and_nothing_sent(maker: Maker, deployment: Deployment) -> None:
    text = maker.refused(maker.make())
    assert f"deployed already, at {deployment.market} on chain {maker.w3.eth.chain_id}" in text and "--again" in text


def test_deploy__again__new_market_and_the_old_manifest_is_kept(maker: Maker, deployment: Deployment) -> None:
    deployer = maker.make()
    second = deployer.deploy(deployer.check(again=True)).gateway.deployment
    assert second.market != deployment.market
    assert Deployment.load(maker.manifest) == second
    [kept] = [path for path in maker.manifest.parent.iterdir() if path != maker.manifest]
    assert Deployment.load(kept) == deployment


def test_check__manifest_of_a_chain_that_was_reset__refused(maker: Maker, deployment: Deployment) -> None:
    replace(deployment, market=deployment.token).save(maker.manifest)
    assert "is of a market that is not on this chain" in maker.refused(maker.make())
    replace(deployment, chain_id=5).save(maker.manifest)
    assert "the manifest is for chain 5" in maker.refused(maker.make())


def test_check__some_other_file__never_replaced(maker: Maker) -> None:
    maker.manifest.parent.mkdir()
    maker.manifest.write_text("my diary")
    assert "exists and is no manifest" in maker.refused(maker.make(), again=True)
    assert maker.manifest.read_text() == "my diary"


def test_check__no_place_for_the_manifest__refused(maker: Maker, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    maker.manifest = tmp_path / "file" / "deployment.json"
    assert "no file can be written in" in maker.refused(maker.make())


def test_check__other_chain_id__one_line(maker: Maker) -> None:
    with pytest.raises(WrongChain) as caught:
        maker.make(replace(LOCAL, source="market.toml", chain_id=5)).check()
    assert str(caught.value).startswith(f"market.toml is for chain 5, the node serves chain {maker.w3.eth.chain_id};")
    assert len(str(caught.value).splitlines()) == 1


def make_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chain and node look like public ones."""
    for module in (deploy_checks, deploying):
        monkeypatch.setattr(module, "is_local", lambda w3: False)


def test_check__public_chain_without_chain_id__refused(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    make_public(monkeypatch)
    with pytest.raises(WrongChain, match=r"local\.toml names no chain_id, so it is for local chains only"):
        maker.make().check()


def test_check__public_chain__token_and_roles_have_to_be_named(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    make_public(monkeypatch)
    text = maker.refused(maker.make(replace(LOCAL, chain_id=maker.w3.eth.chain_id)))
    assert [line.strip().partition(" is missing")[0] for line in text.splitlines()[1:]] == [
        *(f"[roles] {role}" for role in deploy_checks.ROLES),
        "[token] address",
    ]


def test_deploy__public_chain__accounts_of_the_node_are_not_used(
    maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = deploy_contract(maker.w3, maker.owner, "SettlementToken", "x", "NGN", 6)
    make_public(monkeypatch)
    roles = dict(zip(deploy_checks.ROLES, maker.chain.accounts, strict=False))
    parameters = replace(
        LOCAL,
        chain_id=maker.w3.eth.chain_id,
        token=TokenParameters("NGN", 6, "", token),
        roles=roles,
        predecessor=None,
    )
    outcome = maker.deploy(parameters)
    assert {act.role for act in outcome.left} == {1}
    text = str(outcome)
    assert f"The regulator ({roles['regulator']}) still has to:\n  publish the tariff: imbalance price 225" in text
    assert "the operator" not in text
    # With what is printed for another wallet the regulator gets it done.
    for act in outcome.to_json()["left"]:
        maker.w3.eth.send_transaction({"from": act["holder"], "to": act["to"], "data": act["data"]})
    assert list_missing(outcome.gateway, LOCAL) == []


def test_publish__by_another_key__does_what_was_left_and_no_more(maker: Maker) -> None:
    outcome = maker.deploy(find_sender=lambda address: None)
    assert {act.role for act in outcome.left} == {0, 1} and len(outcome.ledger.entries) == 4
    operator = NodeAccount(maker.chain.accounts[0])
    outcome.gateway.act(operator, outcome.gateway.registry.functions.set_feeder_scale(1, 5_000, 5_000))
    regulator = NodeAccount(maker.chain.accounts[1])
    find = {regulator.address: regulator}.get
    again = maker.publish(sender=regulator, find_sender=find)
    assert {act.role for act in again.left} == {0} and len(again.ledger.entries) == 6
    assert maker.publish().left == []
    # What the operator had set is not missing.
    assert outcome.gateway.feeder(1).import_scale_bps == 5_000
    quiet = maker.publish()
    assert quiet.ledger.entries == [] and "nothing was sent" in str(quiet)


def test_publish__file_of_another_market__refused(maker: Maker, deployment: Deployment) -> None:
    other = replace(LOCAL, numbers=replace(LOCAL.numbers, min_order_wh=60))
    with pytest.raises(DeploymentRefused, match="min_order_wh 60, not 50"):
        maker.publish(other)


def test_publish__no_manifest__one_line(maker: Maker) -> None:
    with pytest.raises(ManifestError, match="is no deployment manifest"):
        maker.publish()


def test_check__no_money_for_gas__amounts_and_next_step(maker: Maker) -> None:
    text = maker.refused(maker.make(sender=POOR))
    assert f"{POOR.address} has 0.000000 of the chain's gas money, the 11,7" in text and "send it some" in text


def test_check__token_that_is_none__refused(maker: Maker) -> None:
    nowhere = replace(LOCAL, token=replace(LOCAL.token, address=POOR.address))
    assert f"address {POOR.address} has no code on chain" in maker.refused(maker.make(nowhere))
    lens = deploy_contract(maker.w3, maker.owner, "MarketLens", POOR.address)
    text = maker.refused(maker.make(replace(LOCAL, token=replace(LOCAL.token, address=lens))))
    assert "has no symbol()" in text and "has no decimals()" in text


def test_check__token_of_another_currency__refused(maker: Maker) -> None:
    token = deploy_contract(maker.w3, maker.owner, "SettlementToken", "x", "EUR", 18)
    text = maker.refused(maker.make(replace(LOCAL, token=replace(LOCAL.token, address=token))))
    assert "symbol is 'NGN', the token" in text and "says 'EUR'" in text
    assert "decimals is 6, the token" in text and "says 18" in text


def test_check__predecessor_without_code__refused(maker: Maker) -> None:
    text = maker.refused(maker.make(replace(LOCAL, predecessor=POOR.address)))
    assert f"predecessor {POOR.address} has no code" in text


LOST = LostConnection("HTTPConnectionPool(host='127.0.0.1', port=8545): Max retries exceeded")


@pytest.mark.parametrize("error", [LOST, RuntimeError("insufficient funds")], ids=["chain dies", "money ends"])
def test_deploy__stops_midway__says_what_is_there_and_what_it_cost(maker: Maker, error: Exception) -> None:
    deployer = maker.make(sender=Mortal(maker.owner, 2, error))
    with pytest.raises(DeploymentFailed) as caught:
        deployer.deploy(deployer.check())
    text = str(caught.value)
    token, registry = caught.value.ledger.entries
    assert f"stopped after SettlementToken at {token.address}, EnergyRegistry at {registry.address} (5,4" in text
    assert ("the node does not answer any more" if error is LOST else "insufficient funds") in text
    assert not maker.manifest.exists()


def test_deploy__stops_before_anything__says_so(maker: Maker) -> None:
    deployer = maker.make(sender=Mortal(maker.owner, 0, LOST))
    with pytest.raises(DeploymentFailed, match=r"^stopped before anything was mined: the node does not answer"):
        deployer.deploy(deployer.check())


def test_deploy__stops_while_publishing__finished_by_publish(maker: Maker) -> None:
    regulator = Mortal(NodeAccount(maker.chain.accounts[1]), 2, LOST)
    deployer = maker.make(find_sender={regulator.address: regulator}.get)
    with pytest.raises(DeploymentFailed, match=r"the market is complete and its manifest is .*--publish"):
        deployer.deploy(deployer.check())
    assert maker.publish().left == []


def test_deploy__manifest_cannot_be_written__is_in_the_message(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Deployment, path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Deployment, "save", full)
    deployer = maker.make()
    with pytest.raises(DeploymentFailed) as caught:
        deployer.deploy(deployer.check())
    manifest = json.loads(str(caught.value).partition(":\n")[2])
    assert Deployment(**manifest).chain_id == maker.w3.eth.chain_id


def test_save__fails_midway__old_manifest_stays(
    maker: Maker, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Deployment) -> str:
        raise OSError("no space")

    monkeypatch.setattr(Deployment, "to_json", broken)
    with pytest.raises(OSError, match="no space"):
        replace(deployment, chain_id=5).save(maker.manifest)
    assert Deployment.load(maker.manifest) == deployment
    assert list(maker.manifest.parent.iterdir()) == [maker.manifest]


class Fake:
    """A node as far as `is_local` asks it."""

    def __init__(self, chain_id: int, client: str) -> None:
        self.eth = self
        self.chain_id = chain_id
        self._client = client

    @property
    def client_version(self) -> str:
        if not self._client:
            raise ValueError("the method web3_clientVersion does not exist/is not available")
        return self._client


@pytest.mark.parametrize(
    ("chain_id", "client", "local"),
    [
        (31337, "anvil/v1.7.1", True),
        (1337, "Geth/v1.15", True),
        (1, "anvil/v1.7.1", True),
        (1, "HardhatNetwork/2.22", True),
        (131277322940537, "EthereumTester/0.13", True),
        (1, "Geth/v1.15", False),
        (1, "", False),
        (100, "Nethermind/v1.30/peerwatt/", False),
    ],
)
def test_is_local__id_or_software__decides(chain_id: int, client: str, local: bool) -> None:
    assert is_local(Fake(chain_id, client)) is local  # type: ignore[arg-type]
