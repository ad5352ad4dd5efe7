"""Rules as SQL for three databases."""
