"""One message to many people: who gets which variant when, what stands in it, and what came of it."""
