"""The processes of `bailee serve`: their sockets, their root key, their users, their lives."""
