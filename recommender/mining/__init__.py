"""Which products are often bought together: one question, four engines, the same answer."""
