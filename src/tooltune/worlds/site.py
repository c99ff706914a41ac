"""A small web on loopback: a proxy that answers every host name from a world's pages.

A fetching server that is told to use it meets ordinary addresses, the same in every run, and
reaches nothing outside.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Site:
    """`with Site() as site: site.pages = {"http://host/path": html}`; other addresses are 404."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}

    def __enter__(self) -> Self:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = site.pages.get(self.path)
                body = (page or "not found").encode()
                kind = "text/html" if body.startswith(b"<") else "text/plain"
                self.send_response(404 if page is None else 200)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def arguments(self) -> tuple[str, ...]:
        """For mcp-server-fetch. The names lie behind the proxy, so it must not resolve them."""
        port = self._server.server_address[1]
        proxy = f"http://127.0.0.1:{port}"
        return ("--proxy-url", proxy, "--allow-private-ips", "--ignore-robots-txt")
