"""Training by integer and constraint programming; knows nothing of message passing."""
