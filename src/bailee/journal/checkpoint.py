"""Checkpoints: a statement of where every chain stood, for the authority to sign.

Whoever can rewrite the journal and the store's heads alike is found by a checkpoint, as he lacks
the key. The keeper signs `checkpoint_payload` under a label of its own; nothing here signs.

A checkpoint also says which chains were removed because their time was over: a file that is gone
without such a statement was taken away by somebody else.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from bailee.errors import BadInput
from bailee.journal.chain import HASH, Head, is_chain_id


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where all chains, open and closed, stood at a time (Unix seconds).

    `removed` are the chains whose files were removed at that time, each with its last line.
    """

    at: float
    heads: tuple[Head, ...]
    removed: tuple[Head, ...] = ()


class _Payload(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    at: float
    chains: list[tuple[str, int, str]]
    removed: list[tuple[str, int, str]] = []


def checkpoint_payload(heads: Iterable[Head], at: float, removed: Iterable[Head] = ()) -> bytes:
    """Write a checkpoint in its one canonical form: JSON, chains sorted by id, hashes in hex.

    Chains without a first line (`seq` 0) have nothing to state and are left out. `removed` is
    written only when there is something in it.
    """
    return msgspec.json.encode(_Payload(at, _rows(heads), _rows(removed)))


def parse_checkpoint(payload: bytes) -> Checkpoint:
    """Read what `checkpoint_payload` wrote, and nothing else.

    Raises:
        BadInput: It is not JSON of that form, or not in the canonical form.
    """
    try:
        read = msgspec.json.decode(payload, type=_Payload)
    except ValueError as error:
        raise BadInput("the checkpoint is not of the right form") from error
    heads, removed = _heads(read.chains), _heads(read.removed)
    if checkpoint_payload(heads, read.at, removed) != payload:
        raise BadInput("the checkpoint is not in its canonical form")
    return Checkpoint(read.at, heads, removed)


def _rows(heads: Iterable[Head]) -> list[tuple[str, int, str]]:
    return sorted((head.chain, head.seq, head.hash) for head in heads if head.seq > 0)


def _heads(rows: Iterable[tuple[str, int, str]]) -> tuple[Head, ...]:
    heads = tuple(Head(chain, seq, text) for chain, seq, text in rows)
    if not all(is_chain_id(h.chain) and h.seq > 0 and HASH.fullmatch(h.hash) for h in heads):
        raise BadInput("the checkpoint names a chain that can't be")
    return heads
