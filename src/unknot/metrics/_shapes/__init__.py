"""Hulls of classes on a map, and their areas.

Home-made for the peeled hulls, which shapely lacks; see benchmarks/home_made.py.
"""
