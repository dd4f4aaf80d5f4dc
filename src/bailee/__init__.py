"""Bailee keeps users' API keys sealed and calls their APIs from one published address."""

__version__ = "0.1.0"
