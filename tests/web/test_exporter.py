import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from dlp.errors import ConfigError
from dlp.metrics import Metrics
from dlp.web.exporter import Exporter, MetricsSettings


@pytest.fixture
def missing() -> list[str]:
    return []


@pytest.fixture
def exporter(missing: list[str]) -> Iterator[Exporter]:
    metrics = Metrics()
    made = Exporter(
        MetricsSettings(listen="127.0.0.1:0"),
        metrics,
        refresh=lambda: metrics.quarantine_items.set(3),
        alive=tuple,
        ready=lambda: missing,
    )
    made.start()
    yield made
    made.stop()


def get(exporter: Exporter, path: str) -> tuple[int, str]:
    host, port = exporter.address
    try:
        with urllib.request.urlopen(f"http://{host}:{port}{path}") as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_are_brought_up_to_date_by_the_scrape(exporter: Exporter) -> None:
    status, body = get(exporter, "/metrics")
    assert status == 200
    assert "dlp_quarantine_items 3.0" in body


def test_health_says_what_is_missing(exporter: Exporter, missing: list[str]) -> None:
    assert get(exporter, "/healthz") == (200, "ok\n")
    assert get(exporter, "/readyz") == (200, "ok\n")
    missing[:] = ["mail", "workers"]
    assert get(exporter, "/readyz") == (503, "mail\nworkers\n")
    assert get(exporter, "/else")[0] == 404


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:x", ":"])
def test_a_bad_address_is_a_configuration_error(listen: str) -> None:
    with pytest.raises(ConfigError, match=r"metrics\.listen"):
        MetricsSettings(listen=listen)


def test_a_port_that_is_taken_names_the_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        exporter = Exporter(MetricsSettings(listen=place), Metrics(), refresh=lambda: None, alive=tuple, ready=tuple)
        with pytest.raises(ConfigError, match="free the port"):
            exporter.start()
