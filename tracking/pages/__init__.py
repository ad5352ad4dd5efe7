"""Pages that customers see: leaving, choosing, and what a link in a mail leads to."""
