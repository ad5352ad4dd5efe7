"""Files of other systems become profiles, orders, products, events, consents and suppressions, by a mapping in YAML."""
