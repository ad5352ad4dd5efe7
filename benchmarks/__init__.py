"""How fast and how large: each file measures one thing; `make bench NAME=…` runs it."""
