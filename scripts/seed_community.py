"""Fills a local chain with a small named community: `python scripts/seed_community.py --rpc URL --deployment FILE`.

It is `peerwatt seed`. Under ape, `ape run seed_community --network URL` fills the chain that ape is connected to; the
manifest is the one of PEERWATT_DEPLOYMENT, else deployment.json.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """What ape calls."""
    from ape import networks
    from click import ClickException

    from peerwatt.market.deployment import Deployment, ManifestError
    from peerwatt.market.gateway import MarketGateway
    from peerwatt.market.neighbours import Neighbourhood, NoNeighbours

    w3 = networks.provider.web3
    try:
        deployment = Deployment.load(Path(os.environ.get("PEERWATT_DEPLOYMENT", "deployment.json")))
        deployment.check(w3)
        for standing in Neighbourhood(MarketGateway(w3, deployment)).fill():
            print(f"{standing.neighbour.name}: windows {standing.first_window} to {standing.last_window}")
    except (ManifestError, NoNeighbours) as error:
        raise ClickException(str(error)) from error


if __name__ == "__main__":
    from peerwatt.cli.main import app

    app(["seed", *sys.argv[1:]])
