"""The script for a shop's pages: its source, and how it is served."""
