"""Read the files that archives consist of, within bounds, trusting nothing in them: TIFF, MATLAB, zip, pictures."""
