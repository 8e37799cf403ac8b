"""The study: the community of the paper trades on a chain, and its homes, weather and decisions."""
