"""The list of measures, and the work that measures of one call share."""
