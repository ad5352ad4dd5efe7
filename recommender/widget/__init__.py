"""Offers on the pages of a shop: the element that shows them, how it is served, and what it reports."""
