"""The journal: a hash-chained record of every call, written before the call leaves."""
