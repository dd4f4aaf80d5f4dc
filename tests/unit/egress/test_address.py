"""`egress.address`: an address is ours when a socket can be bound to it."""

import pytest

from bailee.egress.address import is_local


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1"])
def test_address_of_this_machine(address: str) -> None:
    """Every loopback address of Linux is there, of both families."""
    assert is_local(address)


@pytest.mark.parametrize("address", ["198.51.100.7", "2001:db8::7"])
def test_address_of_no_machine(address: str) -> None:
    """Documentation addresses are nobody's."""
    assert not is_local(address)
