"""What happens to inputs before a network sees them."""
