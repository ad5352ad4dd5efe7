"""What `postilion doctor` looks at: one file a check, one list of them (`registry.py`)."""
