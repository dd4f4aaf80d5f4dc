"""A checkpoint has one form."""

import pytest

from bailee.errors import BadInput
from bailee.journal.chain import Head
from bailee.journal.checkpoint import Checkpoint, checkpoint_payload, parse_checkpoint

A = Head("gateway-a", 3, "a" * 64)
B = Head("gateway-b", 9, "b" * 64)


def test_a_checkpoint_reads_back_sorted() -> None:
    """The order of the heads does not change the payload."""
    payload = checkpoint_payload([B, A], 5.0)
    assert payload == checkpoint_payload([A, B], 5.0)
    assert parse_checkpoint(payload) == Checkpoint(5.0, (A, B))


def test_a_chain_without_a_line_is_left_out() -> None:
    """There is nothing to state about it."""
    assert parse_checkpoint(checkpoint_payload([Head("gateway-c", 0, "")], 5.0)).heads == ()


def test_removed_chains_are_stated_beside_the_heads() -> None:
    """A checkpoint without any reads as it always did."""
    payload = checkpoint_payload([A], 5.0, [B])
    assert parse_checkpoint(payload) == Checkpoint(5.0, (A,), (B,))
    assert b"removed" not in checkpoint_payload([A], 5.0)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"at":1.0}',
        b'{"at":1.0,"chains":[],"more":1}',
        b'{"chains":[],"at":1.0}',
        b'{"at":1.0,"chains":[["gateway-a",3,"AA"]]}',
        b'{"at":1.0,"chains":[["../a",3,"%s"]]}' % (b"a" * 64),
        b'{"at":1.0,"chains":[["a",-1,"%s"]]}' % (b"a" * 64),
        b'{"at":1.0, "chains":[]}',
        b'{"at":1.0,"chains":[],"removed":[]}',
        b'{"at":1.0,"chains":[],"removed":[["../a",3,"%s"]]}' % (b"a" * 64),
        b'{"at":1.0,"chains":[],"removed":[["a",3,"AA"]]}',
    ],
)
def test_any_other_form_is_refused(payload: bytes) -> None:
    """Only the canonical form is read: two texts never mean the same checkpoint."""
    with pytest.raises(BadInput):
        parse_checkpoint(payload)
