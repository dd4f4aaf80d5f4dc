"""A node for each test of the supervisor."""

from pathlib import Path

import pytest

from integration.supervise.serving import Node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A directory with a config for two workers, and a root key."""
    return Node(tmp_path)
