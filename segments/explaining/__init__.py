"""Why a person is in a segment or not, and what would change it."""
