"""Shared by several measures: results, validation, distances and moments."""
