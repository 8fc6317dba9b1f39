"""How gunicorn serves clients that send or read slowly (docs/decisions/slow-clients.md)."""
