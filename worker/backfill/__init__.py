"""Reads past messages from a gateway through its API, and stores them as events of the gateway's sender."""
