"""Labeled data as people have them: loaders, data sets, texts, iterables of batches."""
