"""Folds raw events again with the current parser, and repairs the rows that differ."""
