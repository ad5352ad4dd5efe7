"""What the outside world tells us: links and pixels, events, unsubscribes, and the orders that messages led to."""
