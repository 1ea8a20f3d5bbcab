"""The load balancer: asyncio, uvloop, and an HTTP parser of its own."""
