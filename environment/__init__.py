"""Reads variables, `.env`, secret files and `senders.toml` for all processes, and describes the kinds of senders."""
