"""One batch: its page, cancel, labels, failed requests and downloads."""
