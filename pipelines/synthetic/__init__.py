"""Draw synthetic twins: archives of made-up images in the real on-disk formats, for trials without the real data."""
