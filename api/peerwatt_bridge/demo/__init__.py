"""A community on this machine to look at: a chain, a market, a bridge, and homes that trade through it."""
