"""What benchmarks/run runs: one module in `cases` for each name, and what these share."""
