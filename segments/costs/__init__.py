"""What a question would cost, and what keeps it within bounds."""
