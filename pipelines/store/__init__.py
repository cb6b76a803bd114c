"""Keep a prepared data set: TFRecord shards and what describes them, written all or nothing and read back."""
