"""Examples: the queries worth a look, with their ranked lists as small images."""
