"""Copies of the database: making them while everything runs, and putting one back so that nothing is sent twice."""
