"""One module a revision, `rNNNN_what.py`. A released one is never edited."""
