"""Draw pictures of results with matplotlib."""
