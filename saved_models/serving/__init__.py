"""Serve an exported model for development, and talk to any server that speaks TensorFlow Serving's REST API."""
