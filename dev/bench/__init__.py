"""Measures speed and cost in comparison with alternatives, and verifies all results before printing figures."""
