"""The stages that make a study."""
