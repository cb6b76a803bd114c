"""Which images of a data set show the same: copies, lookalikes, and crops that share ground."""
