"""How good a ranking is: it answers questions whose answers we know, beside best sellers and known methods."""
