"""`peerwatt deploy` and `peerwatt seed` as people type them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.conftest import Run
from peerwatt.cli import session
from peerwatt.market import chains
from peerwatt.market.deployment import Deployment
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.neighbours import HORIZON_WINDOWS, NEIGHBOURS, Neighbourhood, NoNeighbours
from peerwatt.market.parameters import SHIPPED
from peerwatt.market.senders import NodeAccount
from peerwatt.node.embedded import EmbeddedChain
from peerwatt.signing import SELL

HOUR_S = 3600
WINDOW_S = 900


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> EmbeddedChain:
    """A chain on which nothing is deployed; the commands find it."""
    empty = EmbeddedChain()
    monkeypatch.setattr(session, "connect", lambda url: empty.w3)
    return empty


def test_deploy__local_chain__later_commands_find_the_market(run: Run, chain: EmbeddedChain) -> None:
    ran = run("deploy")
    assert ran.out.startswith(f"deploying {SHIPPED} on chain {chain.w3.eth.chain_id} as {chain.accounts[0]}: about 13,")
    assert "verified: code, immutables, roles, parameters" in ran.out and "still has to" not in ran.out
    lines = run("seed").out.splitlines()
    assert [line.split()[0] for line in lines] == ["neighbour", *(home.name for home in NEIGHBOURS)]
    assert "sells 1.5 kWh" in lines[1] and "from 93.5 NGN/kWh" in lines[1] and NEIGHBOURS[0].account in lines[1]


def test_deploy__json__stable_fields_and_nothing_else(
    run: Run, chain: EmbeddedChain, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEERWATT_DEPLOYMENT", str(home_folder / "here" / "market.json"))
    ran = run("deploy", "--json")
    assert set(ran.json) == {"chain_id", "market", "registry", "lens", "token", "manifest", "spent", "left"}
    assert set(ran.json["spent"]) == {"transactions", "gas", "fee_wei"} and ran.json["left"] == []
    assert Deployment.load(home_folder / "here" / "market.json").market == ran.json["market"]
    assert "EnergyMarket at" in ran.err


def test_deploy__bad_input__exit_codes(run: Run, chain: EmbeddedChain, home_folder: Path) -> None:
    (home_folder / "bad.toml").write_text("[market]\nwindow_seconds = 1\n")
    ran = run("deploy", "--parameters", "bad.toml", expect=3)
    assert "[market] window_seconds is 1, below 60" in ran.err and "[token] is missing" in ran.err
    local = (Path(chains.__file__).parent / SHIPPED).read_text()
    (home_folder / "other.toml").write_text(f"chain_id = 5\n{local}")
    assert "is for chain 5" in run("deploy", "--parameters", "other.toml", expect=4).err
    assert "is no deployment manifest" in run("deploy", "--publish", expect=3).err
    assert "there is no key" in run("deploy", "--account", "nobody", expect=5).err
    assert chain.w3.eth.block_number == 0
    run("deploy")
    height = chain.w3.eth.block_number
    assert "deployed already" in run("deploy", expect=3).err
    assert chain.w3.eth.block_number == height


def test_deploy__chain_that_is_not_local__asks_and_takes_no_neighbours(
    run: Run, chain: EmbeddedChain, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("deploy", "--out", "first.json")
    first = Deployment.load(home_folder / "first.json")
    roles = "\n".join(f'{name} = "{address}"' for name, address in vars(first.roles).items())
    local = (Path(chains.__file__).parent / SHIPPED).read_text()
    local = local.replace("[token]", f'[token]\naddress = "{first.token}"')
    text = f"chain_id = {first.chain_id}\n[roles]\n{roles}\n{local}"
    (home_folder / "public.toml").write_text(text)
    height = chain.w3.eth.block_number
    monkeypatch.setattr(chains, "LOCAL_CHAIN_IDS", frozenset())
    monkeypatch.setattr(chains, "LOCAL_CLIENTS", ("nobody/",))
    # Neighbours are for local chains only, whatever the market.
    ran = run("seed", "--deployment", "first.json", expect=3)
    assert "everybody knows the neighbours' keys; nothing was sent" in ran.err
    # Without --account there is no key: the node's accounts are used on local chains only.
    assert run("deploy", "--parameters", "public.toml", "--yes", expect=5).out == ""
    monkeypatch.setattr(session.Session, "sender", lambda self, role=None: NodeAccount(chain.accounts[0]))
    assert "nothing was sent" in run("deploy", "--parameters", "public.toml", input="n\n", expect=7).err
    assert chain.w3.eth.block_number == height
    ran = run("deploy", "--parameters", "public.toml", input="y\n")
    assert f"The regulator ({first.roles.regulator}) still has to:" in ran.out
    assert "--publish --parameters public.toml --out deployment.json" in ran.out
    # Who has nothing to publish is asked nothing; who has is.
    publish = ("deploy", "--publish", "--parameters", "public.toml")
    assert len(run(*publish, "--json").json["left"]) == 6
    height = chain.w3.eth.block_number
    monkeypatch.setattr(session.Session, "sender", lambda self, role=None: NodeAccount(chain.accounts[1]))
    assert "imbalance price 225 NGN/kWh" in run(*publish, input="n\n", expect=7).out
    assert chain.w3.eth.block_number == height
    assert run(*publish, "--yes", "--json").json["left"] == []


def test_seed__again__only_time_changes_something(run: Run, chain: EmbeddedChain, home_folder: Path) -> None:
    run("deploy")
    # A minute into a window, so that no gate closes during the test.
    chain.travel_to((chain.time_s // WINDOW_S + 1) * WINDOW_S + 60)
    first = run("seed", "--json").json
    height = chain.w3.eth.block_number
    assert run("seed", "--json").json == first
    assert chain.w3.eth.block_number == height
    assert {item["last_window"] - item["first_window"] + 1 for item in first} == {HORIZON_WINDOWS}

    gateway = MarketGateway(chain.w3, Deployment.load(home_folder / "deployment.json"))
    before = {home.name: gateway.wallet(home.account).balance for home in NEIGHBOURS}
    chain.travel_to(chain.time_s + 8 * HOUR_S)
    second = run("seed", "--json").json
    # What has passed is settled and paid, and there are orders for a day again.
    assert all(new["last_window"] == old["last_window"] + 32 for new, old in zip(second, first, strict=True))
    assert all(new["first_window"] == old["first_window"] + 31 for new, old in zip(second, first, strict=True))
    earned = {home.name for home in NEIGHBOURS if gateway.wallet(home.account).balance > before[home.name]}
    assert "Ada" in earned and earned <= {home.name for home in NEIGHBOURS if home.side == SELL}
    # After days without a run it goes on where it was.
    chain.travel_to(chain.time_s + 120 * HOUR_S)
    assert len(run("seed", "--json").json) == len(NEIGHBOURS)


def test_seed__market_without_tariff__refused(run: Run, chain: EmbeddedChain, home_folder: Path) -> None:
    from peerwatt.market.deploying import Deployer
    from peerwatt.market.parameters import load_parameters

    manifest = home_folder / "deployment.json"
    owner = NodeAccount(chain.accounts[0])
    deployer = Deployer(chain.w3, owner, load_parameters(), manifest, find_sender=lambda address: None)
    gateway = deployer.deploy(deployer.check()).gateway
    with pytest.raises(NoNeighbours, match="peerwatt deploy --publish"):
        Neighbourhood(gateway)
    assert "no retail price yet" in run("seed", expect=3).err
    run("deploy", "--publish")
    assert gateway.registry.functions.retail(0).call() == 209_500
