"""Parts III and IV: every way of looking inside a trained network."""
