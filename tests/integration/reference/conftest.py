"""Running reference APIs."""

from collections.abc import Iterator

import pytest

from reference_server import PROXY, Api, start_api


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One reference API for a module, without a front proxy."""
    with start_api(tmp_path_factory.mktemp("api")) as started:
        yield started


@pytest.fixture(scope="module")
def proxied_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One reference API for a module, behind a front proxy at 127.0.0.9."""
    with start_api(tmp_path_factory.mktemp("proxied"), proxies=(PROXY,)) as started:
        yield started


@pytest.fixture(scope="module")
def api_on_ipv6(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One reference API for a module on ::1."""
    with start_api(tmp_path_factory.mktemp("ipv6"), host="::1") as started:
        yield started
