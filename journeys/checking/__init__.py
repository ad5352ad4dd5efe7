"""The rules by which a journey is judged, one theme a file; `journeys.check` is their list."""
