"""The queue on Redis Streams: messages, lanes, leases, retries."""
