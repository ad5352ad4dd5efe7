"""What is reckoned of a person: one number under a name, with its date."""
