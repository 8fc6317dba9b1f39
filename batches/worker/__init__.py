"""The worker process: which kinds of work there are, and the loop that runs what is due."""
