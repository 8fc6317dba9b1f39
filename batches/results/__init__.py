"""Reads results files: usage and failed requests into rows, and downloads for people."""
