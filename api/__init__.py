"""Serves conversations to dashboards, and never ingests."""
