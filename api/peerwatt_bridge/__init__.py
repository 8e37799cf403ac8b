"""The bridge between homes and chain: it takes what homes and meters signed, keeps it, and brings it to the chain."""
