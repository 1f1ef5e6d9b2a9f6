"""Many exports from one gin file: which ones, where they run, and what came of each."""
