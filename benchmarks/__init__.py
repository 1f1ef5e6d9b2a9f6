"""Measures the exporter side by side with its predecessor, `official.nlp.tools.export_tfhub`."""
