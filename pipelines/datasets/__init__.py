"""Read archives of images: one data set a file."""
