"""`make bench`: what loading, asking and streaming cost on this machine, beside a baseline in the same run."""
