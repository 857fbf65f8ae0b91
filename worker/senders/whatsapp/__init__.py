"""WhatsApp's own forms, which senders pass on: protobuf messages, statuses, times and text."""
