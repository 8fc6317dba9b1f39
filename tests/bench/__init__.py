"""The benchmarks: `make bench`. Claims of speed are ratios taken in one run on one machine."""
