"""The market on its chain: packed words, relayed items, deployments and the gateway to them."""
