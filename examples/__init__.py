"""Project folders that run as they are, and the generator of their data."""
