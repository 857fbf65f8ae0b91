"""Starts, simulates, measures and breaks the whole system on one machine; nothing imports it."""
