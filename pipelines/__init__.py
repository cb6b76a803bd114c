"""Turn archives into TFRecords, and these into tf.data."""
