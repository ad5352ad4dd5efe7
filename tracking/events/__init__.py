"""The event spec: what websites, apps and servers post with the clients that they already have."""
