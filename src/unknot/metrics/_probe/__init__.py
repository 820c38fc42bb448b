"""The linear probe's regression."""
