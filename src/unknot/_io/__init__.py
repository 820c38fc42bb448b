"""Files, folders, locks and the cache of finished work."""
