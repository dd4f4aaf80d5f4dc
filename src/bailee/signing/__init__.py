"""Pure: how a credential gets into a request."""
