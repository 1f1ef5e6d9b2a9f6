"""Fine-tunes an export and compares it with the same experiment from Python code and checkpoint."""
