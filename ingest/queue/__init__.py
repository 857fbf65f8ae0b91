"""The contract between the two ends of the queue; the only part of ingest that the worker may import."""
