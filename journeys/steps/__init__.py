"""The verbs of a journey: one file a verb, one contract (`contract`), one list of them (`registry`)."""
