"""What a web process holds to answer offers at once: rules, catalogue and offers in memory, and a ledger of answers."""
