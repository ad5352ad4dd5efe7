"""The suite: every test that touches a database runs on SQLite and on PostgreSQL."""
