"""Threads, barriers and compiled kernels."""
