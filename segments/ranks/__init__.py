"""Rankings: who stands where among everybody, as of a day."""
