"""What a report is made of: counts from the ledger, the comparison with the holdout, and pictures of both."""
