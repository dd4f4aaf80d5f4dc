"""The role for everyone. By now it only says that it lives."""
