"""The one customer view: who people are, what they did, bought and agreed to, and how all of it is imported."""
