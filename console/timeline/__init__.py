"""Everything that happened between a customer and us, newest first, in words that a person reads."""
