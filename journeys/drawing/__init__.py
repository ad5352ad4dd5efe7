"""Journeys as drawings: a plan of boxes and lines that knows no format, and what writes it as SVG or Mermaid text."""
