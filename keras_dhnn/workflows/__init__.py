"""One file a verb: what `fit`, `query`, `audit`, `compare`, `export` and `index` do, for shell and notebook alike."""
