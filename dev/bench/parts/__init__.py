"""The parts of a benchmark: each module has `run(lab, plan)`, which gives the tables that it measured."""
