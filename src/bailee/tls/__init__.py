"""Our own TLS: the certificate that callers are shown, its key, and whom they are trusted by."""
