"""Lets gunicorn serve clients that send or read slowly (docs/decisions/slow-clients.md)."""
