"""What batches cost in a period, and the batches whose results are about to expire."""
