"""One file a provider: how an envelope becomes a call, and what the answer means."""
