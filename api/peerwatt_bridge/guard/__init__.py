"""What stands between strangers and the bridge: limits, headers, strict bodies, counted signs of an attack."""
