"""A prosumer's keys."""
