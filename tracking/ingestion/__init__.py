"""Durable ingestion: an answer is given when the record is on the disk, and the record reaches the database once."""
