"""Pure decisions about addresses and requests: no sockets, no clock."""
