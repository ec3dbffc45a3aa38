"""One call of a service: admission, limits, statistics, and the places of its failures."""
