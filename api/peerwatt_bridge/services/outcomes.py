"""What became of the items of a mined transaction, as its logs say."""

from __future__ import annotations

from peerwatt.exceptions import ReadingNotNewer, from_code
from peerwatt.market.gateway import MarketGateway
from peerwatt_bridge.services.outbox import Mined, Verdicts
from peerwatt_bridge.storage.tables import Status


def judge_items(gateway: MarketGateway, mined: Mined) -> Verdicts:
    """The status of each item: done, or skipped for a reason."""
    skipped = {
        int(event.args["index"]): from_code(int(event.args["reason"]))
        for event in gateway.get_events(mined.receipt)
        if event.name == "ItemSkipped"
    }
    verdicts: Verdicts = {}
    for item in mined.items:
        refusal = skipped.get(item.place)
        if refusal is None:
            verdicts[item] = (Status.CONFIRMED, None, None)
        elif item.table == "acts":
            verdicts[item] = (Status.REFUSED, refusal.problem, str(refusal))
        elif isinstance(refusal, ReadingNotNewer):
            verdicts[item] = (Status.SUPERSEDED, refusal.problem, str(refusal))
        else:
            # The market moved between plan and block: planned anew, which finds out whether it is for good.
            verdicts[item] = (Status.RECEIVED, None, None)
    return verdicts
