"""Turn images into feature vectors: one network a file, built by name, with ImageNet weights where there are any."""
