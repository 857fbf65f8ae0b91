"""Implements the parts of a benchmark, each in a module with `run(lab, plan)`, which returns the tables that it measured."""
