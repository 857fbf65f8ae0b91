"""Serves HTTP/1.1 with bounds on connections, requests and memory, for ingest and the api."""
