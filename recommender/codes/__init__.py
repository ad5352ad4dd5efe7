"""Voucher codes: pools of them, drawn once for each offer and owner, and returned where nobody got to see them."""
