"""Registry of measures, and the inputs that the measures of one call share."""
