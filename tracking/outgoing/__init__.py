"""Events out: other systems follow the customer log, by asking for what is new or by being called."""
