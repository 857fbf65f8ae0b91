"""Compares, formats and plots the results of benchmarks."""
