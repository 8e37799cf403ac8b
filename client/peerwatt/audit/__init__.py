"""The auditor: replays a market's chain with the reference model and proves every payment.

It trusts the chain and these sources, nobody's word: every call is done again by `peerwatt.reference`, and must log, to
the byte, what the contracts logged.
"""
