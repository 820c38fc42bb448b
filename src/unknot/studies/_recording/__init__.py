"""Epochs of a training: what is captured, studied, and shown while it runs."""
