"""`egress.pool`: what is reused was made under the same rules, is alive and not too old."""

from dataclasses import dataclass, replace

import pytest

from bailee.egress.pool import IDLE_LIMIT, IDLE_LIMIT_EACH, IDLE_SECONDS, Pool, PoolKey

KEY = PoolKey("default", "api", "rest", bytes(32), 1, (b"pin",), "127.0.0.2")
OTHER_KEYS = {
    "tenant": KEY._replace(tenant="other"),
    "provider": KEY._replace(provider="other"),
    "origin": KEY._replace(origin="ws"),
    "trust record": KEY._replace(trust_digest=b"\1" * 32),
    "pin set": KEY._replace(pin_serial=2),
    "pins": KEY._replace(pins=(b"other",)),
    "source": KEY._replace(source="127.0.0.3"),
    "connection": KEY._replace(connection="other"),
}


@dataclass
class Stream:
    """A stream that knows what was done to it."""

    key: PoolKey = KEY
    idle_since: float = 0.0
    alive: bool = True

    def abort(self) -> None:
        self.alive = False


def test_last_used_stream_comes_first() -> None:
    """The stream used last is taken first, and each is taken once."""
    pool: Pool[Stream] = Pool()
    first, second = Stream(), Stream()
    pool.give(first, 1.0)
    pool.give(second, 2.0)
    assert pool.take(KEY) is second
    assert pool.take(KEY) is first
    assert pool.take(KEY) is None


@pytest.mark.parametrize("key", OTHER_KEYS.values(), ids=OTHER_KEYS.keys())
def test_stream_of_other_rules_is_never_taken(key: PoolKey) -> None:
    """One difference in what was checked, and the stream stays where it is."""
    pool: Pool[Stream] = Pool()
    pool.give(Stream(), 0.0)
    assert pool.take(key) is None
    assert pool.take(KEY) is not None


def test_every_field_of_the_key_is_looked_at() -> None:
    """A field that is added to the key gets a line in the table above."""
    assert len(OTHER_KEYS) == len(PoolKey._fields)


def test_dead_stream_is_passed_over() -> None:
    """A stream that died in the pool is not handed out, and one that is dead is not taken in."""
    pool: Pool[Stream] = Pool()
    alive, dead = Stream(), Stream()
    pool.give(alive, 0.0)
    pool.give(dead, 0.0)
    dead.abort()
    assert pool.take(KEY) is alive
    pool.give(dead, 0.0)
    assert pool.take(KEY) is None
    assert repr(pool) == "Pool(0 idle, 1 keys)"


def test_idle_stream_is_aborted_after_its_time() -> None:
    """At the limit a stream is kept, beyond it aborted; a dead one goes at once."""
    pool: Pool[Stream] = Pool()
    stream, dead = Stream(), Stream(OTHER_KEYS["source"])
    pool.give(stream, 100.0)
    pool.give(dead, 100.0)
    dead.abort()
    pool.sweep(100.0 + IDLE_SECONDS)
    assert stream.alive
    assert repr(pool) == "Pool(1 idle, 1 keys)"
    pool.sweep(100.1 + IDLE_SECONDS)
    assert not stream.alive
    assert repr(pool) == "Pool(0 idle, 0 keys)"


def test_stream_used_again_is_young_again() -> None:
    """The time counts from the last use."""
    pool: Pool[Stream] = Pool()
    stream = Stream()
    pool.give(stream, 0.0)
    assert pool.take(KEY) is stream
    pool.give(stream, IDLE_SECONDS)
    pool.sweep(IDLE_SECONDS + 1.0)
    assert stream.alive


def test_oldest_of_a_key_goes_over_its_limit() -> None:
    """One origin can't fill the pool."""
    pool: Pool[Stream] = Pool()
    streams = [Stream() for _ in range(IDLE_LIMIT_EACH + 3)]
    for stream in streams:
        pool.give(stream, 0.0)
    assert [stream.alive for stream in streams] == [False] * 3 + [True] * IDLE_LIMIT_EACH


def test_pool_is_bounded_over_all_keys() -> None:
    """Many origins can't fill it either."""
    pool: Pool[Stream] = Pool()
    streams = [Stream(replace_origin(number)) for number in range(IDLE_LIMIT + 5)]
    for stream in streams:
        pool.give(stream, 0.0)
    assert sum(stream.alive for stream in streams) == IDLE_LIMIT
    assert repr(pool).startswith(f"Pool({IDLE_LIMIT} idle")
    assert streams[-1].alive


def replace_origin(number: int) -> PoolKey:
    return KEY._replace(origin=f"origin{number}")


def test_close_aborts_all() -> None:
    """Nothing idle outlives the pool."""
    pool: Pool[Stream] = Pool()
    streams = [Stream(), replace(Stream(), key=OTHER_KEYS["origin"])]
    for stream in streams:
        pool.give(stream, 0.0)
    pool.close()
    assert not any(stream.alive for stream in streams)
    assert pool.take(KEY) is None
