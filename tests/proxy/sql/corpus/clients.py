"""What real clients send."""

CASES = []
