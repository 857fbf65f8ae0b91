"""Runs the whole system on one machine: embedded servers, a simulated gateway and benchmarks."""
