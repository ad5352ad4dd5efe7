"""Segments: saved rules over profiles, what they mean in SQL and in Python, and who is in one now."""
