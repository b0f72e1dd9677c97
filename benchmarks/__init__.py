"""What Fraisier costs, beside what it is compared with: `python -m benchmarks` writes RESULTS.md."""
