"""What batches cost in a period, and the batches whose results will be lost next."""
