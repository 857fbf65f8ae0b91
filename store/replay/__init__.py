"""Folds raw events again with the current parser (replay, redrive), and repairs the rows that differ."""
