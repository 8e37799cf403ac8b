# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Tariffs in force: what an order is accepted under
@license Apache-2.0
@notice head: version [0,16), imbalance_steps [16,32), next_version [32,48), next_imbalance_steps [48,64), next_from [64,96).
        Tables: 16 bands of 16 bits, in basis points, lowest score first.
        Feeder: fee_per_wh [0,64), import_scale_bps [64,80), export_scale_bps [80,96).
"""
from . import parameters

uses: parameters


event TariffSet:
    version: indexed(uint256)
    head: uint256
    surcharges: uint256
    haircuts: uint256
    rebates: uint256


event FeederSet:
    feeder: indexed(uint256)
    feeder_word: uint256


tariff_head: public(uint256)
surcharges: public(HashMap[uint256, uint256])
haircuts: public(HashMap[uint256, uint256])
rebates: public(HashMap[uint256, uint256])
feeders: public(HashMap[uint256, uint256])


@internal
@view
def _get_tariff() -> uint256:
    """
    @notice The tariff in force now: version [0,16), imbalance_steps [16,32).
    """
    head: uint256 = self.tariff_head
    next_from: uint256 = head >> 64
    if next_from != 0 and parameters._get_window() >= next_from:
        head >>= 32
    return head & (2**32 - 1)


@external
def set_tariff(head: uint256, version: uint256, surcharges: uint256, haircuts: uint256, rebates: uint256):
    """
    @notice Publishes a version. By the registry, which keeps the notice and the bounds.
    """
    parameters._check_registry()
    self.tariff_head = head
    self.surcharges[version] = surcharges
    self.haircuts[version] = haircuts
    self.rebates[version] = rebates
    log TariffSet(version=version, head=head, surcharges=surcharges, haircuts=haircuts, rebates=rebates)


@external
def set_feeder(feeder: uint256, feeder_word: uint256):
    parameters._check_registry()
    self.feeders[feeder] = feeder_word
    log FeederSet(feeder=feeder, feeder_word=feeder_word)
