"""Model files are read and checked here before a framework opens them."""
