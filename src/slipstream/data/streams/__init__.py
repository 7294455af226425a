"""Files, tables and examples as streams of batches."""
