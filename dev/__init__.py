"""Runs the whole system on a laptop: embedded servers, a pretend gateway, benchmarks."""
