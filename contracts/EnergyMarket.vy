# pragma version 0.4.3
# pragma evm-version prague
# pragma nonreentrancy on
# pragma optimize gas
"""
@title EnergyMarket: neighbours trade electricity without an intermediary
@license Apache-2.0
@notice The composition of the market's modules; the rules are in modules/, the words in docs/contract.md.
"""
from interfaces import IEnergyMarket
from modules import auction
from modules import book
from modules import meters
from modules import offers
from modules import parameters
from modules import participants
from modules import relaying
from modules import reputation
from modules import settlement
from modules import signing
from modules import tariffs
# Its getter is called wallets too, and a contract knows one thing by one name.
from modules import wallets as wallets_module

implements: IEnergyMarket

initializes: parameters
initializes: signing
initializes: wallets_module[parameters := parameters, signing := signing]
initializes: participants[parameters := parameters, wallets := wallets_module]
initializes: tariffs[parameters := parameters]
initializes: book[parameters := parameters]
initializes: reputation[parameters := parameters]
initializes: offers[
    book := book,
    parameters := parameters,
    participants := participants,
    signing := signing,
    tariffs := tariffs,
    wallets := wallets_module,
]
initializes: auction[book := book, parameters := parameters]
initializes: meters[parameters := parameters, participants := participants, signing := signing]
initializes: settlement[
    auction := auction,
    book := book,
    meters := meters,
    offers := offers,
    parameters := parameters,
    participants := participants,
    reputation := reputation,
    wallets := wallets_module,
]
initializes: relaying[offers := offers, parameters := parameters, settlement := settlement]

exports: parameters.__interface__
exports: signing.__interface__
exports: wallets_module.__interface__
exports: participants.__interface__
exports: tariffs.__interface__
exports: book.__interface__
exports: offers.__interface__
exports: auction.__interface__
exports: relaying.__interface__


@deploy
def __init__(
    token: address,
    registry: address,
    window_seconds: uint256,
    lead_seconds: uint256,
    floor_price: uint256,
    price_step: uint256,
    report_deadline_seconds: uint256,
    max_reading_age_seconds: uint256,
    min_order_wh: uint256,
    tolerance_bps: uint256,
    inertia_wh: uint256,
    balancing_account: address,
    network_account: address,
):
    parameters.__init__(
        token,
        registry,
        window_seconds,
        lead_seconds,
        floor_price,
        price_step,
        report_deadline_seconds,
        max_reading_age_seconds,
        min_order_wh,
        tolerance_bps,
        inertia_wh,
    )
    signing.__init__(self)
    wallets_module.__init__(balancing_account, network_account)
    book.__init__()
