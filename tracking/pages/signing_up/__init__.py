"""Signing up by a form: the files, the pages, what waits for its confirmation, and the confirmation."""
