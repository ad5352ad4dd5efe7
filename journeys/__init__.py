"""Journeys: what happens to a person after an event, step by step, from YAML to sent messages."""
