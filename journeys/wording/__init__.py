"""A journey's file in the words of its readers: conditions, steps and ways in, for explanations and drawings."""
