"""The benchmarks: `make bench`. Speeds are compared within one run on one machine."""
