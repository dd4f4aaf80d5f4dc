"""Pure: what a provider's file says, and the record that decides where its credentials may go."""
