"""Model files, read and checked before a framework opens them."""
