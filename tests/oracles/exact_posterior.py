"""Exact marginals of tiny networks, by enumerating every assignment of their weights."""

import itertools

import numpy as np
from scipy.special import log_ndtr, logsumexp


def enumerate_weights(levels, num_weights):
    """All assignments, ``[levels ** num_weights, num_weights]``."""
    return np.array(list(itertools.product(levels, repeat=num_weights)), np.float64)


def log_prior(weights, fields, sparsity=0.0):
    """Independent beliefs ``exp(field w + sparsity [w = 0])``, up to their normalization."""
    return weights @ fields.ravel() + sparsity * np.sum(weights == 0, axis=1)


def log_likelihood_of_labels(outputs, labels, noise=0.0):
    """Labels +-1 given noiseless outputs ``[assignments, batch]``; without noise, 0 or minus infinity."""
    if noise > 0:
        return np.sum(log_ndtr(labels * outputs / noise), axis=1)
    return np.where(np.all(labels * outputs > 0, axis=1), 0.0, -np.inf)


def perceptron_outputs(weights, inputs):
    return weights @ inputs.T


def two_layer_outputs(weights, inputs, num_hidden):
    """A layer of sign units and one output; weights are the first layer's ``[N, K]``, then the second's."""
    first = weights[:, : inputs.shape[1] * num_hidden].reshape(len(weights), -1, num_hidden)
    hidden = np.where(np.einsum("bi,wik->wbk", inputs, first) >= 0, 1.0, -1.0)
    return np.einsum("wbk,wk->wb", hidden, weights[:, inputs.shape[1] * num_hidden :])


def exact_means(weights, log_posterior):
    """Mean of every weight."""
    probability = np.exp(log_posterior - logsumexp(log_posterior))
    return probability @ weights
