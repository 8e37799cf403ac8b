"""`/metrics`: for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from peerwatt_bridge.routes.dependencies import BridgeOf

router = APIRouter(tags=["operation"])


class _Exposition(Response):
    media_type = "text/plain"


@router.get("/metrics", response_class=_Exposition)
def show_metrics(bridge: BridgeOf) -> Response:
    """Measures as Prometheus reads them; nothing in them names a home."""
    return Response(generate_latest(bridge.defences.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
