"""Side-by-side benchmarks of Slipstream and its peers; ``python -m bench`` runs them."""
