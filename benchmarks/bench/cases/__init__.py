"""One module for each benchmark; each has a `run(bench)` that returns a Result."""
