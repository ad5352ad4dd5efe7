"""Fern & Kettle, an invented shop for tea, home and garden: one project folder and the seeded generator of its data."""
