"""Archives to TFRecords to tf.data."""
