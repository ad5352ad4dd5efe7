"""Rendering, the send ledger, the policy before every attempt, the providers and what they report back."""
