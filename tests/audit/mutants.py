"""A market with one mistake: what was changed in the sources, and where an audit must notice first."""

from __future__ import annotations

import gc
import shutil
from dataclasses import dataclass
from pathlib import Path

from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.compiler.phases import CompilerData

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
MARKET, REGISTRY, TOKEN = "EnergyMarket", "EnergyRegistry", "SettlementToken"
SETTLEMENT, OFFERS, AUCTION, WALLETS = (f"modules/{name}.vy" for name in ("settlement", "offers", "auction", "wallets"))
METERS, PARTICIPANTS, TARIFFS = (f"modules/{name}.vy" for name in ("meters", "participants", "tariffs"))


@dataclass(frozen=True)
class Mutant:
    """One mistake.

    Attributes:
        name: what the market does, for people.
        file: below contracts/.
        old, new: text that is there once, and what stands in its place.
        act: of the script, in which the first log differs; where none does, in which the storage begins to.
        log: the honest market's log at that place; empty where it refuses the transaction.
        differs: fields of the log that differ; none where another log is there, or a transaction that was refused.
        check: named check that finds it; "replay" where a log differs.
        finds: what the check's first violation begins with, or the reason of the refusal.
        contract: that is compiled again.
        rare: it is tried by `make fuzz` only; its like is always tried.
    """

    name: str
    file: str
    old: str
    new: str
    act: str
    log: str = ""
    differs: tuple[str, ...] = ()
    check: str = "replay"
    finds: str = ""
    contract: str = MARKET
    rare: bool = False


def compile_mutant(mutant: Mutant, folder: Path) -> bytes:
    """Creation code of the mutated contract. Without the optimiser, which takes two thirds of the time.

    Raises:
        AssertionError: the text to be changed is not there, or more than once.
    """
    shutil.copytree(CONTRACTS, folder, dirs_exist_ok=True)
    path = folder / mutant.file
    source = path.read_text(encoding="utf-8")
    assert source.count(mutant.old) == 1, f"{mutant.name}: {mutant.file} has the text {source.count(mutant.old)} times"
    path.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")
    main = folder / f"{mutant.contract}.vy"
    text = main.read_text(encoding="utf-8")
    assert text.count("# pragma optimize gas") == 1
    main.write_text(text.replace("# pragma optimize gas", "# pragma optimize none"), encoding="utf-8")
    # The compiler makes millions of objects, and nearly all of them stay until its end.
    gc.disable()
    try:
        bundle = FilesystemInputBundle([folder])
        return bytes(CompilerData(bundle.load_file(Path(main.name)), bundle).bytecode)
    finally:
        gc.enable()
