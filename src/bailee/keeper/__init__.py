"""The role that does what needs the root key or a socket to a provider, and takes time."""
