"""Reads what a gateway still has of the past, through its API, and stores it as events of the gateway's sender."""
