"""Write tests/vectors/: what another implementation of the signed messages and packed words checks itself by.

    python scripts/make_vectors.py            write tests/vectors/*.json
    python scripts/make_vectors.py --check    change nothing; exit 1 when a file differs

Integers over 32 bits are decimal strings, bytes and whole words 0x-prefixed hex. The keys are the hashes of
published texts: never send anything to their addresses.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak

from peerwatt.market import relay, words
from peerwatt.market.bitfields import PackedWord
from peerwatt.signing import (
    Agent,
    Cancel,
    Domain,
    Enrolment,
    Message,
    MeterSwap,
    Order,
    Rating,
    Report,
    Signature,
    Withdrawal,
    sign,
)
from peerwatt.signing.signature import CURVE_ORDER

VECTORS = Path(__file__).resolve().parent.parent / "tests" / "vectors"
U8, U16, U24, U32, U48, U64, U128 = (2**bits - 1 for bits in (8, 16, 24, 32, 48, 64, 128))
U256 = 2**256 - 1
WINDOW = 1_961_250
TIME = 1_765_125_000


def get_key(name: str) -> bytes:
    """Private key of somebody in the vectors."""
    return bytes(keccak(text=f"peerwatt test vector: {name}"))


def get_address(name: str) -> str:
    """Address of somebody in the vectors."""
    return str(PrivateKey(get_key(name)).public_key.to_checksum_address())


HOME, METER, NEW_METER, EMS, UTILITY = map(get_address, ("home", "meter", "new meter", "ems", "utility"))
MARKET, OTHER_MARKET = get_address("market"), get_address("other market")
DOMAIN = Domain(131277322940537, MARKET)
DOMAINS = (DOMAIN, Domain(31337, MARKET), Domain(U256, OTHER_MARKET))

# Each message with the one who signs it.
MESSAGES: dict[str, tuple[tuple[str, str, Message], ...]] = {
    "order": (
        ("bid for one window", "home", Order(HOME, METER, 0, WINDOW, WINDOW, 500, 70, 16)),
        ("offer for a day", "home", Order(HOME, METER, 1, WINDOW, WINDOW + 95, 2_000, 0, 33)),
        ("bid signed by an agent key", "ems", Order(HOME, METER, 0, WINDOW, WINDOW + 3, 50, 254, 2)),
        ("largest values", "home", Order(HOME, METER, 1, U32, U32, U32, U8, U32)),
        ("smallest values", "home", Order(HOME, METER, 0, 0, 0, 0, 0, 0)),
    ),
    "cancel": (
        ("from a window on", "home", Cancel(HOME, 33, WINDOW + 10, TIME)),
        ("signed by an agent key", "ems", Cancel(HOME, 2, 0, TIME + 3_600)),
        ("largest values", "home", Cancel(HOME, U32, U32, U64)),
    ),
    "report": (
        ("two windows of exports", "meter", Report(METER, 1, WINDOW, (10_000, 10_450, 10_450))),
        ("one reading", "meter", Report(METER, 1, WINDOW, (10_450,))),
        ("a day of imports", "meter", Report(METER, 0, WINDOW, tuple(range(5_000, 5_000 + 97 * 250, 250)))),
        ("largest values", "meter", Report(METER, 1, U32, (0, U48, U64))),
    ),
    "agent": (
        ("caps for an EMS", "home", Agent(HOME, EMS, TIME, 120, 40, 5_000_000_000, 0)),
        ("revocation", "home", Agent(HOME, EMS, 0, 0, 0, 0, 1)),
        ("largest values", "home", Agent(HOME, EMS, U64, U8, U8, U128, U256)),
    ),
    "withdrawal": (
        ("456 units of a token with six decimals", "home", Withdrawal(HOME, HOME, 456_000_000, 0, TIME)),
        ("to another address", "home", Withdrawal(HOME, UTILITY, 1, 7, TIME)),
        ("largest values", "home", Withdrawal(HOME, UTILITY, U256, U256, U64)),
    ),
    "enrolment": (
        ("signed by the account", "home", Enrolment(HOME, METER, 120_000, 45_000, TIME)),
        ("signed by the meter", "meter", Enrolment(HOME, METER, 120_000, 45_000, TIME)),
        ("largest values", "home", Enrolment(HOME, METER, U64, U64, U64)),
    ),
    "rating": (
        ("rated", "home", Rating(HOME, True, 0, TIME)),
        ("not rated", "home", Rating(HOME, False, 1, TIME)),
        ("largest values", "home", Rating(HOME, True, U256, U64)),
    ),
    "meter_swap": (
        ("signed by the account", "home", MeterSwap(HOME, METER, NEW_METER, 0, 0, TIME)),
        ("signed by the new meter", "new meter", MeterSwap(HOME, METER, NEW_METER, 0, 0, TIME)),
        ("largest values", "home", MeterSwap(HOME, METER, NEW_METER, U64, U64, U64)),
    ),
}

WORDS: tuple[PackedWord | words.TableWord, ...] = (
    words.WalletWord(0, 0, 0, False),
    words.WalletWord(456_000_000, 123_456_789, 5_000 * words.SCORE_ONE, True),
    words.WalletWord(2**104 - 1, 2**104 - 1, 2**30 - 1, True),
    words.CalendarWord(0, 0),
    words.CalendarWord(0b1011, WINDOW),
    words.CalendarWord(2**224 - 1, U32),
    words.DeviceWord(METER, 3_000, 2_000, 7, words.FEEDING_IN, 1, 3),
    words.DeviceWord(METER, U24, U24, U16, 3, 63, U8),
    words.ExportsWord(METER, 45_000, WINDOW, False),
    words.ExportsWord(METER, U48, U32, True),
    words.ImportsWord(120_000, WINDOW, 0),
    words.ImportsWord(U48, U32, U32),
    words.OrderWord(16, 0, WINDOW, 1, 500, 70, 66, 0, True, True, 150, 400, 1, 2_000),
    words.OrderWord(33, 34, WINDOW, 96, 2_000, 0, 3, 1, False, False, 9_999, 400, 2, 0),
    words.OrderWord(U32, U32, U32, U8, U24, U8, U8, 1, True, True, 2**14 - 1, U16, 2**15 - 1, U64),
    words.AgentWord(TIME, 120, 40, 5_000_000_000),
    words.AgentWord(U64, U8, U8, U128),
    words.BookStateWord(WINDOW, 1_234_567, False, False),
    words.BookStateWord(U32, U64, True, True),
    words.EntryWord(0, 0, 0, 0, WINDOW >> 8),
    words.EntryWord(-2_500, 4_000, 500, 0, WINDOW >> 8),
    words.EntryWord(-(2**55), 2**55 - 1, U48, U48, U24),
    words.LivePairWord(500, 0, 0, 2_000),
    words.LivePairWord(U48, U48, U48, U48),
    words.ResultWord(70, words.OFFERS_RATIONED, 1_200, 3_000, 0, 4_200, -300),
    words.ResultWord(0, words.NO_TRADE, 0, 0, 3_600, 900, 0),
    words.ResultWord(U8, words.BIDS_RATIONED, U48, U48, U32, U48, 2**49 - 1),
    words.TariffHeadWord(1, 400, 2, 450, WINDOW + 256),
    words.TariffHeadWord(U16, U16, U16, U16, U32),
    words.TableWord((900, 800, 700, 600, 500, 400, 300, 200, 150, 100, 75, 50, 25, 10, 5, 0)),
    words.TableWord((U16,) * 16),
    words.FeederWord(2_000, 10_000, 7_500),
    words.FeederWord(U64, U16, U16),
)


def to_hex(data: bytes) -> str:
    """Bytes as 0x-prefixed hex."""
    return "0x" + data.hex()


def word_to_hex(word: int) -> str:
    """A word as 0x-prefixed hex of 32 bytes."""
    return f"0x{word:064x}"


def describe_signed(name: str, signer: str, message: Message, domain: Domain) -> dict[str, Any]:
    """One signed message with everything on the way to its signature."""
    signature = sign(message, domain, get_key(signer))
    return {
        "name": name,
        "domain": domain.to_json() | {"chainId": str(domain.chain_id)},
        "message": message.to_json(),
        "domainSeparator": to_hex(domain.separator),
        "structHash": to_hex(message.struct_hash()),
        "digest": to_hex(message.digest(domain)),
        "privateKey": to_hex(get_key(signer)),
        "signer": get_address(signer),
        "signature": to_hex(signature.to_bytes()),
        "r": word_to_hex(signature.r),
        "vs": word_to_hex(signature.vs),
    }


def describe_refused(signer: str, message: Message) -> list[dict[str, Any]]:
    """Signatures that must not count for the message in `DOMAIN`, each made from a right one."""
    key = get_key(signer)
    right = sign(message, DOMAIN, key)
    # The same curve point: a library that does not look at s recovers the signer from it.
    high = right.r.to_bytes(32, "big") + (CURVE_ORDER - right.s).to_bytes(32, "big") + bytes([55 - right.v])
    flipped = Signature.from_vrs(55 - right.v, right.r, right.s)
    refused = {
        "high s": high,
        "other chain": sign(message, Domain(DOMAIN.chain_id + 1, MARKET), key).to_bytes(),
        "other market": sign(message, Domain(DOMAIN.chain_id, OTHER_MARKET), key).to_bytes(),
        "other key": sign(message, DOMAIN, get_key("stranger")).to_bytes(),
        "other parity": flipped.to_bytes(),
        "unknown v": right.to_bytes()[:64] + bytes([29]),
        "empty": bytes(65),
    }
    return [
        {
            "name": name,
            "domain": DOMAIN.to_json() | {"chainId": str(DOMAIN.chain_id)},
            "message": message.to_json(),
            "signer": get_address(signer),
            "signature": to_hex(signature),
        }
        for name, signature in refused.items()
    ]


def make_messages(cases: tuple[tuple[str, str, Message], ...]) -> dict[str, Any]:
    """The file of one signed type."""
    kind = type(cases[0][2])
    signed = [describe_signed(*case, DOMAIN) for case in cases]
    signed += [describe_signed(f"in domain {i}", *cases[0][1:], DOMAINS[i]) for i in range(1, len(DOMAINS))]
    return {
        "type": kind.__name__,
        "typeString": kind.type_string(),
        "typeHash": to_hex(kind.type_hash()),
        "domainTypeString": Domain.TYPE,
        "cases": signed,
        "refused": describe_refused(*cases[0][1:]),
    }


def make_words() -> dict[str, Any]:
    """The file of the packed storage words."""
    content: dict[str, Any] = {}
    for word in WORDS:
        fields: dict[str, Any] = dataclasses.asdict(word)
        if isinstance(word, PackedWord):
            wide = {name for name, bits in word.layout().items() if bits.high - bits.low > 32}
            fields = {
                name: str(value) if name in wide and not isinstance(value, str) else value
                for name, value in fields.items()
            }
        entry = {"fields": fields, "word": word_to_hex(word.encode())}
        content.setdefault(type(word).__name__.removesuffix("Word"), []).append(entry)
    return content


def make_relay() -> dict[str, Any]:
    """The file of the relayed items."""
    signed = {name: [(message, sign(message, DOMAIN, get_key(by))) for _, by, message in cases]
              for name, cases in MESSAGES.items()}  # fmt: skip
    items: list[tuple[str, relay.Item]] = []
    for i, (message, signature) in enumerate(signed["order"]):
        if isinstance(message, Order) and message.energy_wh <= U24:
            agent = EMS if i == 2 else relay.NOBODY
            items.append((f"order {i}", relay.OrderItem.from_message(message, signature, agent)))
    for i, (message, signature) in enumerate(signed["cancel"]):
        if isinstance(message, Cancel):
            agent = EMS if i == 1 else relay.NOBODY
            items.append((f"cancel {i}", relay.CancelItem.from_message(message, signature, agent)))
    for i, (message, signature) in enumerate(signed["report"][:3]):
        if isinstance(message, Report):
            items.append(
                (f"report {i}", relay.ReportItem.from_message(HOME, message, signature, (3, 0, 15)[:i]))
            )
    first, signature = signed["report"][0]
    items += [
        ("report of 9 windows", relay.ReportItem(HOME, 1, WINDOW, 7, tuple(range(9)), 1, 2, 0xF)),
        ("report of largest values",
         relay.ReportItem(HOME, U8, U32, U64, (U32,) * 255, U256, U256, U64)),
        ("due", relay.DueItem(HOME, 96, relay.pack_hints((5, 4)))),
        ("due of largest values", relay.DueItem(HOME, U8, relay.pack_hints([15] * 16))),
    ]  # fmt: skip
    order = next(item for _, item in items if isinstance(item, relay.OrderItem)).pack()
    report = relay.ReportItem.from_message(HOME, first, signature).pack() if isinstance(first, Report) else []
    refused = {
        "order cut short": ("relay: item cut short", order[:3]),
        "report cut short": ("relay: item cut short", [*order, *report[:-1]]),
        "kind 0": ("relay: unknown item", [0]),
        "kind 5": ("relay: unknown item", [*order, 5 << 248, *order]),
    }
    return {
        "items": [
            {
                "name": name,
                "kind": item.KIND,
                "fields": describe_item(dataclasses.asdict(item)),
                "words": [word_to_hex(word) for word in item.pack()],
            }
            for name, item in items
        ],
        "refused": [
            {"name": name, "reason": reason, "words": [word_to_hex(word) for word in content]}
            for name, (reason, content) in refused.items()
        ],
    }


def describe_item(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an item; those over 32 bits as text."""
    described = dict(fields)
    for name in ("r", "vs"):
        if name in described:
            described[name] = word_to_hex(described[name])
    for name in ("deadline", "opening_wh", "hints"):
        if name in described:
            described[name] = str(described[name])
    return described


def make() -> dict[str, str]:
    """The content of every vector file, by name."""
    files = {f"{name}.json": make_messages(cases) for name, cases in MESSAGES.items()}
    files |= {"words.json": make_words(), "relay.json": make_relay()}
    return {name: json.dumps(content, indent=2) + "\n" for name, content in files.items()}


def main() -> int:
    """Write the files, or with --check compare them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 when a file differs")
    check = parser.parse_args().check
    different = []
    for name, text in make().items():
        path = VECTORS / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            different.append(name)
            if not check:
                VECTORS.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    if check and different:
        print(f"differ: {', '.join(different)}; run python scripts/make_vectors.py", file=sys.stderr)
        return 1
    print(f"{len(different)} of {len(make())} files {'differ' if check else 'written'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
