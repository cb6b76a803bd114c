"""Draw a run's results: figures as files and in TensorBoard, thumbnails, t-SNE, the embedding projector."""
