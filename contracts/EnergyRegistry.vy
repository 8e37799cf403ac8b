# pragma version 0.4.3
# pragma evm-version prague
# pragma nonreentrancy on
# pragma optimize gas
"""
@title EnergyRegistry: who may take part, and at which published numbers
@license Apache-2.0
@notice Whatever is rare in one market: roles, enrolment, tariffs, agent keys, ratings, wind-down, and the words for
        a refusal. Deployed first, with the address the market will get; it holds no money and cannot touch any.
"""

from modules import consent as agreement  # its function `consent` needs the name
from modules import enrolment
from modules import mandates
from modules import publication
from modules import refusals
from modules import roles
from modules import signing
from modules import winddown

initializes: signing
initializes: agreement[signing := signing]
initializes: roles[consent := agreement]
initializes: publication[consent := agreement, roles := roles]
initializes: enrolment[consent := agreement, roles := roles, publication := publication]
initializes: mandates[consent := agreement, signing := signing]
initializes: winddown[consent := agreement]

exports: signing.__interface__
exports: agreement.__interface__
exports: roles.__interface__
exports: publication.__interface__
exports: enrolment.__interface__
exports: mandates.__interface__
exports: winddown.__interface__
exports: refusals.reason


@deploy
def __init__(
    market: address,
    operator: address,
    regulator: address,
    accepted_meter_classes: uint256,
    balancing_account: address,
    network_account: address,
    predecessor: address,
):
    """
    @param market The market's address, known before it is deployed.
    @param accepted_meter_classes Bitmap of the 64 meter classes.
    @param predecessor Registry of an older market whose scores are taken over, zero for none.
    """
    assert market != empty(address), "registry: senseless parameter"
    signing.__init__(market)
    agreement.__init__(market)
    roles.__init__(operator, regulator, balancing_account, network_account)
    enrolment.__init__(accepted_meter_classes, predecessor)
