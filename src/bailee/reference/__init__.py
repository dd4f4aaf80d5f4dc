"""An API with per-key allowlists, as the user's API would be: for demo, tests and API providers."""
