"""What providers tell us afterwards: one file a dialect, mapped to our words at the border."""
