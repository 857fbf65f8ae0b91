"""Serves HTTP/1.1 with limits on connections, requests and memory, for ingest and the api."""
