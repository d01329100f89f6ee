"""Training of networks with discrete weights by messages of the belief-propagation family."""
