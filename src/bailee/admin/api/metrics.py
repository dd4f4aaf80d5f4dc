"""What a scraper is told: counts by state, and how requests went. No label names anybody.

The registry is this application's own. Counts are read from the database when they are asked for.
"""

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bailee import __version__
from bailee.admin.api.census import Census

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
UNMATCHED: Final = "none"
"""The route of what led to none, or was refused at the door."""
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


class Metrics:
    """Counts requests, and writes all that there is to tell.

    Args:
        census: Reads the counts; None where there is no database, and nothing is ever written.
    """

    def __init__(self, census: Callable[[], Census] | None = None) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "bailee_admin_requests",
            "Requests to the admin API",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "bailee_admin_request_seconds",
            "How long requests to the admin API took",
            ("method", "route"),
            registry=self._registry,
            buckets=SECONDS,
        )
        if census is not None:
            self._registry.register(_Counts(census))

    def __repr__(self) -> str:
        return "Metrics()"

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request. `route` is a route's pattern, never a path that somebody sent."""
        method = method if method in _METHODS else "unknown"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        """Write everything in the text format of Prometheus.

        Raises:
            StoreUnavailable: The database does not answer.
        """
        return generate_latest(self._registry)


class _Counts(Collector):
    def __init__(self, census: Callable[[], Census]) -> None:
        self._census = census

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: it would read the database to register."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One gauge a kind of thing, by state."""
        census = self._census()
        build = GaugeMetricFamily("bailee_build_info", "Which release runs", labels=("version",))
        build.add_metric((__version__,), 1)
        yield build
        yield GaugeMetricFamily(
            "bailee_revision", "Grows with every change that gateways obey", value=census.revision
        )
        for name, counts in census.by_state.items():
            gauge = GaugeMetricFamily(f"bailee_{name}", f"{name} by state", labels=("state",))
            for state, number in counts.items():
                gauge.add_metric((state,), number)
            yield gauge
