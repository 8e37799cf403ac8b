"""An audit that ends in a report, whatever the node does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peerwatt.audit.audit import Audit, OnProgress
from peerwatt.audit.failures import SourceContradiction, SourceIncomplete
from peerwatt.audit.replay import Divergence
from peerwatt.audit.report import Report, Totals
from peerwatt.audit.subject import describe_market
from peerwatt.audit.transport import RpcError, Transport
from peerwatt.market.deployment import Deployment


def audit_market(
    transport: Transport,
    deployment: Deployment,
    last_block: int | str | None = None,
    on_progress: OnProgress | None = None,
    *,
    then: Callable[[Audit], None] | None = None,
    **options: Any,
) -> Report:
    """`Audit.run`, with a report also where a node gives too little, or another chain, to begin with.

    Args:
        then: given the audit when it came to its end, whatever it found.
        options: of `Audit`.
    Raises:
        CheckpointError: the file is not of this market.
    """
    try:
        audit = Audit(transport, deployment, **options)
        report = audit.run(last_block, on_progress)
    except (SourceIncomplete, RpcError) as error:
        return _unbegun(deployment, options, None, (str(error),))
    except SourceContradiction as error:
        place = error.block or deployment.block, error.transaction or "", error.log_index
        return _unbegun(deployment, options, Divergence(*place, "the chain of the manifest", str(error)), ())
    if then is not None:
        then(audit)
    return report


def _unbegun(
    deployment: Deployment, options: dict[str, Any], divergence: Divergence | None, incomplete: tuple[str, ...]
) -> Report:
    market = describe_market(deployment, options.get("manifest", True), None)
    block = {"number": None, "hash": None, "time_s": None}
    return Report(market, block, tuple(options.get("also", ())), Totals(), divergence, incomplete=incomplete)
