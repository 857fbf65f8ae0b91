"""Serves statistics, the ledger, sessions and parked events to operators."""
