"""One file a kind of thing. Routes read forms, call `manage`, and write what it returned."""
