"""What a journey did with one person, told from what was recorded: the journal, the send ledger, the refusals.

Nothing is asked again: what is told is what was decided then, on what was known then.
"""
