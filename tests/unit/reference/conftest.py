"""Fixtures of the reference API's tests."""

import pytest

from bailee.reference.app import ReferenceApi
from reference_caller import Caller


@pytest.fixture
def ask() -> Caller:
    """A fresh reference API to ask."""
    return Caller(ReferenceApi())
