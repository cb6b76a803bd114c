"""Find images of a data set that show the same: copies, lookalikes, and crops that share ground."""
