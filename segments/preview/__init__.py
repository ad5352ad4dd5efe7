"""What a segment's file would select, before anybody publishes it."""
