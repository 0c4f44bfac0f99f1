"""Metrics and health for scrapers: /metrics (Prometheus text or OpenMetrics), /healthz, /readyz.

/healthz answers 200 while the daemon's loop turns; /readyz answers 200 once every channel stands and
workers answer, else 503 with one word a line of what is missing. Bodies hold no path, address or content.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from dlp.errors import ConfigError
from dlp.metrics import Metrics

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication

Missing = Callable[[], Sequence[str]]
"""What is not ready yet, or no longer; empty when all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """`listen` is "host:port"; keep it on loopback or behind a firewall, there is no authentication."""

    listen: str = "127.0.0.1:9108"

    def __post_init__(self) -> None:
        """Raises ConfigError for what is no address."""
        host, _, port = self.listen.rpartition(":")
        if not host or not port.isdigit() or int(port) > 0xFFFF:
            raise ConfigError.single("[metrics]", "metrics.listen", f"{self.listen!r} is not host:port", 'write "127.0.0.1:9108"')

    @property
    def place(self) -> tuple[str, int]:
        """Host, without the brackets of an IPv6 address, and port."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    """No line on stderr for each scrape."""

    def log_message(self, format: str, *args: Any) -> None:
        return None


class Exporter:
    """Serves from a thread of its own, so that a scrape waits for nobody."""

    def __init__(
        self, settings: MetricsSettings, metrics: Metrics, *, refresh: Callable[[], None], alive: Missing, ready: Missing
    ) -> None:
        """`refresh` brings the gauges up to date before each scrape."""
        self._place = settings.place
        self._application = _application(metrics, refresh=refresh, alive=alive, ready=ready)
        self._server: WSGIServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it really listens; the port matters where the configuration said 0."""
        assert self._server is not None  # noqa: S101 - a caller's error, not an input's
        return self._place[0], self._server.server_port

    def start(self) -> None:
        """Listen. Raises ConfigError where the port cannot be had."""
        try:
            self._server = make_server(*self._place, self._application, server_class=_Server, handler_class=_Quiet)
        except OSError as error:
            raise ConfigError.single(
                "configuration",
                "metrics.listen",
                f"cannot listen on {self._place[0]}:{self._place[1]}: {error.strerror}",
                "free the port or choose another",
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="dlp-exporter", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; does nothing where it never started."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


def _application(metrics: Metrics, *, refresh: Callable[[], None], alive: Missing, ready: Missing) -> "WSGIApplication":
    prometheus = make_wsgi_app(metrics.registry)

    def answer(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/metrics":
                refresh()
                return prometheus(environ, start_response)  # type: ignore[no-any-return]
            case "/healthz":
                return _health(alive(), start_response)
            case "/readyz":
                return _health(ready(), start_response)
            case _:
                start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
                return [b"/metrics /healthz /readyz\n"]

    return answer


def _health(missing: Sequence[str], start_response: "StartResponse") -> Iterable[bytes]:
    start_response("503 Service Unavailable" if missing else "200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return ["".join(f"{word}\n" for word in missing).encode() or b"ok\n"]
