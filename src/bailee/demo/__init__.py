"""The story of Bailee, told on one machine with real sockets; it starts roles through the CLI."""
