"""What every package stands on and what knows no marketing word: settings, errors, clock, ids, database, files."""
