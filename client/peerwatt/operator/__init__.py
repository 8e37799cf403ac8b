"""What the operator of a community works with."""
