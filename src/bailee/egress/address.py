"""Is an egress address on this machine?"""

import socket

from bailee.egress.resolve import family_of


def is_local(address: str) -> bool:
    """Tell whether a socket can be bound to an address now. Nothing is sent."""
    with socket.socket(family_of(address), socket.SOCK_STREAM) as trial:
        try:
            trial.bind((address, 0))
        except OSError:
            return False
    return True
