"""Benchmarks: each runs its baseline beside ours in one run and prints medians and ratios."""
