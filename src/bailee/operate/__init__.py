"""Looking after a vault: making one, and seeing whether it is in order."""
