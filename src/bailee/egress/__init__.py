"""The only part that opens sockets to providers: from the promised address, to a proven peer."""
