"""Implements the parts of a benchmark: each module has `run(lab, plan)`, which returns the tables that it measured."""
