"""The worker process: the kinds of work, and the loop that runs what is due."""
