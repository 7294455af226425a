"""One layer at a time, in Slipstream and its peers; ``python -m bench --only layers``."""
