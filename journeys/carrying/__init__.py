"""What the effects of steps do to the rest of the world: one file a kind, each set-based and safe to repeat."""
