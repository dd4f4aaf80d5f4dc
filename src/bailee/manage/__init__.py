"""Use cases over rows and jobs, shared by admin, public, keeper and CLI.

Functions take a `Store` and plain values, check all that can be checked without the root key, write
in one transaction, and return frozen values. What is another tenant's is not found.
"""
