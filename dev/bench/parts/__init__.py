"""Implements the parts of a benchmark. Each module has `run(lab, plan)`, which returns the tables that it measured."""
