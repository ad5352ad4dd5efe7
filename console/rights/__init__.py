"""What a person may ask for under the law: a copy, a correction, a restriction, an objection, and to be forgotten."""
