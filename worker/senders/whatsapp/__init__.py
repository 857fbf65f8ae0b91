"""Parses WhatsApp's own formats, which senders pass on: protobuf messages, statuses, times and text."""
