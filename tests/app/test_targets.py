"""What is said of a target that does not let the gateway in."""

from __future__ import annotations

import psycopg
import pytest

from app.targets import server_words

TO = 'connection failed: connection to server at "10.0.0.5", port 5432 failed: '


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            f"{TO}Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
            "Connection refused",
        ),
        (
            f'{TO}FATAL:  password authentication failed for user "gate"\n',
            'FATAL: password authentication failed for user "gate"',
        ),
        ("permission denied for table pg_authid", "permission denied for table pg_authid"),
        (f"{TO}\x1b[31mred\u202e.", "⟨U+001B⟩[31mred⟨U+202E⟩"),
    ],
)
def test_a_servers_words_are_one_line_that_hides_nothing(error: str, words: str) -> None:
    assert server_words(psycopg.OperationalError(error)) == words
