"""Journeys on a virtual clock: whole populations go through them in memory, and nothing is written or sent."""
