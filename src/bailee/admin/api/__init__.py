"""The REST API: JSON in and out, problems as RFC 9457 documents, one operator's token a request."""
