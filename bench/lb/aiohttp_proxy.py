"""A plain streaming proxy on aiohttp: `python bench/lb/aiohttp_proxy.py PORT BACKEND_PORT`."""

import asyncio
import sys

import uvloop
from aiohttp import ClientSession, TCPConnector, web

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade"}


async def serve(port: int, backend: int) -> None:
    session = ClientSession(connector=TCPConnector(limit=256), auto_decompress=False)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        body = request.content if request.can_read_body else None
        url = f"http://127.0.0.1:{backend}{request.path_qs}"
        async with session.request(
            request.method, url, headers=request.headers, data=body
        ) as answer:
            fields = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP}
            response = web.StreamResponse(status=answer.status, headers=fields)
            response.content_length = answer.content_length
            await response.prepare(request)
            async for part in answer.content.iter_any():
                await response.write(part)
            await response.write_eof()
            return response

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
