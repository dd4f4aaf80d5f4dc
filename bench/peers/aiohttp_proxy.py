"""A reverse proxy as one writes it with aiohttp, on uvloop: PORT UPSTREAM CA SOURCE.

It verifies the chain and the name. It has no pin: aiohttp's `Fingerprint` leaves the chain
unverified.
"""

import ssl
import sys

import aiohttp
import uvloop
from aiohttp import web

HOP = {"connection", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}


def main(port: str, upstream: str, ca: str, source: str) -> None:
    """Serve until SIGTERM."""
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_3

    async def relay(request: web.Request) -> web.Response:
        headers = {
            name: value for name, value in request.headers.items() if name.lower() not in HOP
        }
        async with request.app[SESSION].request(
            request.method,
            f"https://127.0.0.1:{upstream}{request.raw_path}",
            headers=headers | {"Host": "api.test"},
            data=await request.read() or None,
            allow_redirects=False,
            server_hostname="api.test",
        ) as answer:
            body = await answer.read()
            passed = {
                name: value
                for name, value in answer.headers.items()
                if name.lower() not in HOP and name.lower() != "content-length"
            }
            return web.Response(status=answer.status, headers=passed, body=body)

    async def sessions(app: web.Application):
        connector = aiohttp.TCPConnector(ssl=context, limit=1024, local_addr=(source, 0))
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
            app[SESSION] = session
            yield

    app = web.Application()
    app.cleanup_ctx.append(sessions)
    app.router.add_route("*", "/{path:.*}", relay)
    web.run_app(
        app,
        host="127.0.0.1",
        port=int(port),
        access_log=None,
        print=None,
        loop=uvloop.new_event_loop(),
    )


SESSION = web.AppKey("session", aiohttp.ClientSession)

if __name__ == "__main__":
    main(*sys.argv[1:])
