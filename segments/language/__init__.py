"""What a marketer may ask, and how it is written: rules, their words, and the faults of both."""
