"""One exception class for each revert string; import them from `peerwatt.exceptions`."""
