"""The transactional API: one message for one person, asked for by the shop's own server."""
