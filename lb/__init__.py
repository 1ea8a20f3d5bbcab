"""The load balancer: asyncio, uvloop, httptools."""
