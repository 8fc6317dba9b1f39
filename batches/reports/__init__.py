"""Anthropic's cost report: fetching it, and comparing it with our own figures."""
