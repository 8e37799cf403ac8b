"""A peer-to-peer electricity market: homes trade by signed orders, a contract clears, meters settle."""

__version__ = "0.1.0"
