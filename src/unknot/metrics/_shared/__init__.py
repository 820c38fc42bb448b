"""What several measures share: results, checks, distances and moments."""
