"""The common half of the two text formats: findings, literals, trees, comments."""
