"""The folder of a study: its format, how it is written and how it is read."""
