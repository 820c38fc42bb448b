"""Outlines of classes on a map, and their areas."""
