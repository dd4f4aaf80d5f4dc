"""Pure: what was seen of an allowlist, and what may be said of it."""
